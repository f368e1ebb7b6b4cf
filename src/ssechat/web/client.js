/**
 * The browser's client library. It knows nothing of the page and can be used without it:
 *
 *     import { ChatClient } from "/web/client.js";
 *     const chat = new ChatClient();
 *     await chat.signIn("alice", "correct horse");
 *     chat.addEventListener("message", ({ detail }) => console.log(detail.sender, detail.text));
 *     chat.open();
 *     await chat.send({ to: "bob", text: "hi" });
 */

import { Http, RequestError } from "./http.js";
import { SharedStream } from "./shared.js";
import { EventStream } from "./stream.js";

export { RequestError };

/**
 * @typedef {object} Message
 * @property {string} conversation_id
 * @property {number} seq order within the conversation
 * @property {number} version of two with the same seq, the higher is the newer
 * @property {string} sender
 * @property {string} text
 * @property {string} client_msg_id
 * @property {string} created_at RFC 3339, UTC
 */

/** A name for a message, 128 random bits: the same on every retry. Works without a secure context too. */
export function newMessageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A name as the server spells it: the letters' case and width count nowhere. What is no name stays none. */
export function canonicalName(name) {
  return name.normalize("NFKC").toLowerCase();
}

/** The id of the direct conversation of two people, or of one with oneself. */
export function directConversationId(a, b) {
  // User ids are ASCII: code units are code points.
  return `dm:${[canonicalName(a), canonicalName(b)].sort().join(":")}`;
}

/**
 * The server's HTTP interface as methods, and its stream as events.
 *
 * Events: every event of the stream under its own name (`message`, `reset` … , detail is its data); `status`
 * (detail `connecting`, `live`, `reconnecting`, `crowded`: too many streams, `closed`); `reload` (detail
 * `{reason, conversation_id?}`): load over REST now, what is known may have a hole; `unauthorized`: sign in again.
 */
export class ChatClient extends EventTarget {
  #http;
  #stream = null;

  /**
   * @param {object} options
   * @param {string} options.base where the server is, empty for the page's own
   * @param {string|null} options.token a bearer token; without one, the session cookie is used
   */
  constructor({ base = "", token = null } = {}) {
    super();
    this.#http = new Http({ base, token });
    /** @type {string|null} the id of who is signed in, once that is known */
    this.user = null;
  }

  get token() {
    return this.#http.token;
  }

  /** @returns {Promise<{name: string, version: string, sign_up: boolean, sign_in: boolean}>} what it can do */
  server() {
    return this.#http.request("GET", "/v1/server");
  }

  /** Makes an account and signs in. @returns {Promise<{token: string, user: string}>} */
  async signUp(name, password) {
    const answer = await this.#http.request("POST", "/v1/users", { body: { name, password } });
    this.user = answer.user;
    return answer;
  }

  /** Signs in. @returns {Promise<{token: string, user: string}>} */
  async signIn(name, password) {
    const answer = await this.#http.request("POST", "/v1/session", { body: { name, password } });
    this.user = answer.user;
    return answer;
  }

  /** Who is signed in. @returns {Promise<{user: string}>} @throws {RequestError} 401 when nobody is */
  async session() {
    const answer = await this.#http.request("GET", "/v1/session");
    this.user = answer.user;
    return answer;
  }

  /**
   * Signs out on the server, which ends the stream. `close()` is to be called when the other tabs have been told: the
   * next one in line takes the stream over then.
   */
  async signOut() {
    await this.#http.request("DELETE", "/v1/session");
    this.user = null;
  }

  /** @returns {Promise<{id: string}>} @throws {RequestError} 404 when there is no such user */
  findUser(id) {
    return this.#http.request("GET", `/v1/users/${encodeURIComponent(id)}`);
  }

  /** One page of conversations, most recent first; `next` is the `before` of the page after it. */
  conversations({ before, limit } = {}) {
    return this.#http.request("GET", "/v1/conversations", { query: { before, limit } });
  }

  /**
   * Messages of a conversation, ascending by seq: the newest, or those before or after a seq (exclusive).
   * @returns {Promise<{messages: Message[], has_more: boolean}>}
   */
  messages(conversationId, { before, after, limit } = {}) {
    const path = `/v1/conversations/${encodeURIComponent(conversationId)}/messages`;
    return this.#http.request("GET", path, { query: { before, after, limit } });
  }

  /**
   * Sends a message, to a person (`to`) or into a conversation (`conversation_id`). To repeat it after a
   * failure, give the same `client_msg_id`: it is then sent once, whatever happened the first time.
   * @returns {Promise<Message>}
   */
  send({ to, conversation_id, text, client_msg_id = newMessageId() }) {
    const body = { ...(to === undefined ? { conversation_id } : { to }), text, client_msg_id };
    return this.#http.request("POST", "/v1/messages", { body });
  }

  /** Opens the stream, one for all tabs of this browser. Needs a known user (signIn, signUp or session). */
  open() {
    if (this.#stream) return;
    const stream = new SharedStream({
      name: `ssechat:stream:${this.#http.base}:${this.user}`,
      create: (cursor) =>
        new EventStream({
          cursor,
          singleUse: this.token !== null,
          url: (last) => this.#streamUrl(last),
          probe: () => this.session(),
        }),
    });
    this.#stream = stream;
    stream.addEventListener("event", ({ detail }) => this.#dispatch(detail.type, detail.data));
    for (const type of ["status", "reload", "unauthorized"]) {
      stream.addEventListener(type, ({ detail }) => this.#dispatch(type, detail));
    }
    stream.open();
  }

  /** Closes the stream; `open()` begins again. */
  close() {
    this.#stream?.close();
    this.#stream = null;
  }

  /** To call when the network is back or the page is visible again: reconnects at once if that is needed. */
  wake() {
    this.#stream?.wake();
  }

  /** @returns {"connecting"|"live"|"reconnecting"|"crowded"|"closed"} */
  get status() {
    return this.#stream?.status ?? "closed";
  }

  /** Whether this tab holds the stream for the others. */
  get leads() {
    return this.#stream?.leads ?? false;
  }

  async #streamUrl(cursor) {
    const query = { last_event_id: cursor };
    if (this.token !== null) {
      query.ticket = (await this.#http.request("POST", "/v1/tickets", { body: {} })).ticket;
    }
    return this.#http.url("/v1/events", query);
  }

  #dispatch(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
