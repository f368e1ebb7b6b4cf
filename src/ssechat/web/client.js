/**
 * The browser's client library. It does not depend on the page and can be used without it:
 *
 *     import { ChatClient } from "/web/client.js";
 *     const chat = new ChatClient();
 *     await chat.signIn("alice", "correct horse");
 *     chat.addEventListener("message", ({ detail }) => console.log(detail.sender, detail.text));
 *     chat.open();
 *     await chat.send({ to: "bob", text: "hi" });
 */

import { Emitter } from "./emitter.js";
import { Http, RequestError } from "./http.js";
import { KINDS } from "./kinds.js";
import { SharedStream } from "./shared.js";
import { EventStream } from "./stream.js";

export { RequestError };

/**
 * @typedef {object} Message
 * @property {string} conversation_id
 * @property {number} seq order within the conversation
 * @property {number} version of two messages with the same seq, the one with the higher version is newer
 * @property {string} sender
 * @property {string} text absent if the message was deleted or has expired
 * @property {boolean} [deleted]
 * @property {string} client_msg_id
 * @property {string} created_at RFC 3339, UTC
 */

/** A `client_msg_id`, 128 random bits: the same on every retry. Works in an insecure context, too. */
export function newMessageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns a name in the server's canonical form (case, width). An invalid name stays invalid. @param {string} name */
export function canonicalName(name) {
  return name.normalize("NFKC").toLowerCase();
}

/** Whether the server accepts this as a new user's name. @param {string} name a canonical one */
export function isName(name) {
  return /^[a-z0-9_][a-z0-9_.@|+~-]{0,127}$/.test(name);
}

/** The id of the direct conversation of two users, or of a user's notes. @param {string} a @param {string} b */
export function directConversationId(a, b) {
  // User ids are ASCII: code units are code points.
  return `dm:${[canonicalName(a), canonicalName(b)].sort().join(":")}`;
}

/**
 * The server's HTTP interface as methods, and its stream as events.
 *
 * Events: the stream's events by their names (`message`, `reset` …; the detail is the data), if kinds.js or `kinds`
 * has them; `status` (`connecting`, `live`, `reconnecting`, `crowded`: the user has too many streams, `closed`);
 * `reload` (`{reason, conversation_id?}`): events may have been missed, load over REST now; `unauthorized`: sign in
 * again.
 *
 * @extends {Emitter<Record<string, any>>}
 */
export class ChatClient extends Emitter {
  #http;
  /** @type {SharedStream|null} */
  #stream = null;

  /**
   * @param {object} options
   * @param {string} [options.base] the server's URL, empty for the page's own
   * @param {string|null} [options.token] a bearer token; without one, the session cookie is used
   * @param {import("./kinds.js").Kinds} [options.kinds] of events to listen to, beyond the protocol's own
   */
  constructor({ base = "", token = null, kinds = KINDS } = {}) {
    super();
    this.kinds = kinds;
    this.#http = new Http({ base, token });
    /** @type {string|null} the signed-in user's id, once it is known */
    this.user = null;
  }

  get token() {
    return this.#http.token;
  }

  /** @returns {Promise<{name: string, version: string, sign_up: boolean, sign_in: boolean}>} facts about the server */
  server() {
    return this.#http.request("GET", "/v1/server");
  }

  /**
   * Creates an account and signs in.
   *
   * @param {string} name
   * @param {string} password
   * @returns {Promise<{token: string, user: string}>}
   */
  async signUp(name, password) {
    const answer = await this.#http.request("POST", "/v1/users", { body: { name, password } });
    this.user = answer.user;
    return answer;
  }

  /** Signs in. @param {string} name @param {string} password @returns {Promise<{token: string, user: string}>} */
  async signIn(name, password) {
    const answer = await this.#http.request("POST", "/v1/session", { body: { name, password } });
    this.user = answer.user;
    return answer;
  }

  /** Returns the signed-in user. @returns {Promise<{user: string}>} @throws {RequestError} 401 if there is none */
  async session() {
    const answer = await this.#http.request("GET", "/v1/session");
    this.user = answer.user;
    return answer;
  }

  /**
   * Signs out on the server, which ends the stream. `close()` must be called after the other tabs know: the next in the
   * lock's queue then takes the stream over.
   */
  async signOut() {
    await this.#http.request("DELETE", "/v1/session");
    this.user = null;
  }

  /** @param {string} id @returns {Promise<{id: string}>} @throws {RequestError} 404 if the user does not exist */
  findUser(id) {
    return this.#http.request("GET", `/v1/users/${encodeURIComponent(id)}`);
  }

  /**
   * A page of conversations, most recent first.
   *
   * @param {{before?: string|undefined, limit?: number|undefined}} options
   * @returns {Promise<{conversations: import("./store.js").Listed[], next: string|null}>} `next` is the `before` of the
   *   page after it
   */
  conversations({ before, limit } = {}) {
    return this.#http.request("GET", "/v1/conversations", { query: { before, limit } });
  }

  /**
   * A page of a conversation's messages, ascending by seq: the newest, or those before or after a seq (exclusive).
   *
   * @param {string} conversationId
   * @param {{before?: number|null|undefined, after?: number|undefined, limit?: number|undefined}} options
   * @returns {Promise<{messages: Message[], has_more: boolean}>}
   */
  messages(conversationId, { before, after, limit } = {}) {
    const path = `/v1/conversations/${encodeURIComponent(conversationId)}/messages`;
    return this.#http.request("GET", path, { query: { before, after, limit } });
  }

  /**
   * Sends a message to a user (`to`) or to a conversation (`conversation_id`). A retry with the same
   * `client_msg_id` is idempotent: the message is sent once.
   *
   * @param {{to?: string|undefined, conversation_id?: string, text: string, client_msg_id?: string}} message
   * @returns {Promise<Message>}
   */
  send({ to, conversation_id, text, client_msg_id = newMessageId() }) {
    const body = { ...(to === undefined ? { conversation_id } : { to }), text, client_msg_id };
    return this.#http.request("POST", "/v1/messages", { body });
  }

  /** Opens the stream, one for all tabs of this browser. Requires a known user (signIn, signUp or session). */
  open() {
    if (this.#stream) return;
    const stream = new SharedStream({
      name: `ssechat:stream:${this.#http.base}:${this.user}`,
      create: (cursor) =>
        new EventStream({
          cursor,
          kinds: this.kinds,
          singleUse: this.token !== null,
          url: (last) => this.#streamUrl(last),
          probe: () => this.session(),
        }),
    });
    this.#stream = stream;
    stream.on("event", ({ type, data }) => this.emit(type, data));
    stream.on("status", (status) => this.emit("status", status));
    stream.on("reload", (reload) => this.emit("reload", reload));
    stream.on("unauthorized", () => this.emit("unauthorized", null));
    stream.open();
  }

  /** Closes the stream; `open()` opens it again. */
  close() {
    this.#stream?.close();
    this.#stream = null;
  }

  /** Reconnects at once if needed. Must be called when the network is back or the page becomes visible. */
  wake() {
    this.#stream?.wake();
  }

  /** @returns {import("./stream.js").Status} */
  get status() {
    return this.#stream?.status ?? "closed";
  }

  /** Whether this tab holds the stream for the others. */
  get holdsStream() {
    return this.#stream?.holds ?? false;
  }

  /** @param {string|null} cursor */
  async #streamUrl(cursor) {
    /** @type {import("./http.js").Query} */
    const query = { last_event_id: cursor };
    if (this.token !== null) {
      query.ticket = (await this.#http.request("POST", "/v1/tickets", { body: {} })).ticket;
    }
    return this.#http.url("/v1/events", query);
  }
}
