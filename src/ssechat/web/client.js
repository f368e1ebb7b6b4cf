/** The server's interface as methods, and its stream as events: what the library (ssechat.js) stands on. */

import { AccountRequests } from "./account_requests.js";
import { BlockRequests } from "./block_requests.js";
import { ConversationRequests } from "./conversation_requests.js";
import { Emitter } from "./emitter.js";
import { GroupRequests } from "./group_requests.js";
import { Http } from "./http.js";
import { newMessageId } from "./ids.js";
import { KINDS } from "./kinds.js";
import { MessageRequests } from "./message_requests.js";
import { PresenceRequests } from "./presence_requests.js";
import { SharedStream } from "./shared.js";
import { EventStream } from "./stream.js";
import { UserRequests } from "./user_requests.js";
import { WorkerLink } from "./worker_link.js";

/** @typedef {{name: string, version: string, sign_up: boolean, sign_in: boolean} & Ways} Facts */

/**
 * What a server may have: a directory of its users, pictures of them on its page, a feed that is the page's banner.
 *
 * @typedef {{directory?: boolean, avatars?: boolean, banner?: string}} Ways
 */

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
 * @property {string} [edited_at] RFC 3339, UTC
 * @property {number} [reply_to] the seq of the message that it answers
 * @property {string[]} [mentions] members
 * @property {Record<string, unknown>} [data] the application's own
 * @property {Reaction[]} [reactions]
 */

/** @typedef {{emoji: string, count: number, users: string[]}} Reaction `users` are three of those who reacted so */

/** @typedef {"owner"|"admin"|"member"} Role */

/**
 * @typedef {object} Group
 * @property {string} id
 * @property {"group"} type
 * @property {string} name
 * @property {string} [topic]
 * @property {"all"|"from_join"} history what those read who join later
 * @property {Role} role the user's own
 * @property {number} member_count
 * @property {string[]} members the first 20, by name
 * @property {number} newest_seq
 * @property {Message|null} last_message
 * @property {boolean} [ended]
 */

/**
 * @typedef {object} Invite
 * @property {string} id
 * @property {string} expires_at RFC 3339, UTC
 * @property {number} [max_uses] without it, any number of people may join
 * @property {number} uses
 * @property {string} by
 */

/**
 * The server's HTTP interface as methods, by what they are about, and its stream as events.
 *
 * Every method throws a RequestError if the server refuses, or does not answer: `message` says why, `code` is the
 * server's name for it. What changes something can be repeated: it is done once.
 *
 * Events: the stream's events by their names (`message`, `message.updated`, `member`, `reset` …; the detail is the
 * data), if kinds.js or `kinds` has them, and `event` after each of them, with its id; `status` (`connecting`, `live`,
 * `reconnecting`, `crowded`: the user has too many streams, `closed`); `retry`, when the time of the next attempt is
 * known; `reload` (`{reason, conversation_id?}`): events may have been missed, load over REST now; `unauthorized`: sign
 in again.
 *
 * @extends {Emitter<Record<string, any>>}
 */
export class ChatClient extends Emitter {
  /** @type {SharedStream|null} */
  #stream = null;
  #cursor;
  #alone;
  #workers;

  /**
   * @param {object} options
   * @param {string} [options.base] the server's URL, empty for the page's own
   * @param {string|null|import("./http.js").TokenSource} [options.token] a bearer token, or what gives one; without it,
   *   the session cookie is used
   * @param {import("./kinds.js").Kinds} [options.kinds] of events to listen to, beyond the protocol's own
   * @param {string|null} [options.cursor] the last event id of an earlier stream, to go on from; then the stream is not
   *   shared with other tabs, as theirs has gone on
   * @param {boolean} [options.workers] whether a shared worker may hold the stream, where the cookie counts
   */
  constructor({ base = "", token = null, kinds = KINDS, cursor = null, workers = true } = {}) {
    super();
    this.http = new Http({ base, token });
    this.account = new AccountRequests(this.http);
    this.users = new UserRequests(this.http);
    this.conversations = new ConversationRequests(this.http);
    this.messages = new MessageRequests(this.http);
    this.groups = new GroupRequests(this.http);
    this.blocks = new BlockRequests(this.http);
    this.presence = new PresenceRequests(this.http);
    /** @type {string|null} the signed-in user's id, once it is known */
    this.user = null;
    this.#workers = workers;
    this.kinds = kinds;
    this.#cursor = cursor;
    this.#alone = cursor !== null;
  }

  get token() {
    return this.http.token;
  }

  /** Whether requests have a bearer token, and no cookie. */
  get withToken() {
    return this.http.withToken;
  }

  /** The server's URL, empty for the page's own. */
  get base() {
    return this.http.base;
  }

  /** @returns {Promise<Facts>} facts about the server */
  server() {
    return this.http.request("GET", "/v1/server");
  }

  /**
   * Creates an account and signs in.
   *
   * @param {string} name
   * @param {string} password
   * @returns {Promise<{token: string, user: string}>}
   */
  async signUp(name, password) {
    return this.#entered(await this.http.request("POST", "/v1/users", { body: { name, password } }));
  }

  /** Signs in. @param {string} name @param {string} password @returns {Promise<{token: string, user: string}>} */
  async signIn(name, password) {
    return this.#entered(await this.http.request("POST", "/v1/session", { body: { name, password } }));
  }

  /** @param {{token: string, user: string}} answer */
  #entered(answer) {
    this.user = answer.user;
    if (this.http.crossOrigin) this.http.token = answer.token;
    return answer;
  }

  /** Returns the signed-in user. @returns {Promise<{user: string}>} @throws {RequestError} 401 if there is none */
  async session() {
    const answer = await this.http.request("GET", "/v1/session");
    this.user = answer.user;
    return answer;
  }

  /**
   * Signs out on the server, which ends the stream. `close()` must be called after the other tabs know: the next in the
   * lock's queue then takes the stream over.
   */
  async signOut() {
    await this.http.request("DELETE", "/v1/session");
    this.user = null;
    this.http.token = null;
    this.#cursor = null;
    this.#alone = false;
  }

  /**
   * Opens the stream, one for all tabs of this browser that listen to the same kinds of events. Requires a known user
   * (signIn, signUp or session).
   */
  open() {
    if (this.#stream) return;
    const { base, user } = this;
    const kinds = [...this.kinds.keys()].sort().join();
    const workers = this.#workers && !this.withToken && !this.#alone;
    const stream = new SharedStream({
      name: `ssechat:stream:${base}:${user}:${kinds}${this.#alone ? `:${newMessageId()}` : ""}`,
      worker: workers ? () => new WorkerLink({ base, user, kinds }) : null,
      cursor: this.#cursor,
      create: (cursor) =>
        new EventStream({
          cursor,
          kinds: this.kinds,
          user,
          singleUse: this.withToken,
          url: (last) => this.#streamUrl(last),
          probe: () => this.session(),
        }),
    });
    this.#stream = stream;
    stream.on("event", (event) => {
      this.emit(event.type, event.data);
      this.emit("event", event);
    });
    for (const type of /** @type {const} */ (["retry", "status", "reload", "unauthorized"])) {
      stream.on(type, (detail) => this.emit(type, detail));
    }
    stream.open();
  }

  /** Closes the stream; `open()` opens it again. */
  close() {
    this.#cursor = this.cursor;
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

  /** The id of the last event, from which a later stream can go on; null before the first. */
  get cursor() {
    return this.#stream?.cursor ?? this.#cursor;
  }

  /** Whether this tab holds the stream for the others. */
  get holdsStream() {
    return this.#stream?.holds ?? false;
  }

  /**
   * Says that this device has an event, and all before it.
   *
   * @param {string} id
   * @returns {Promise<null>}
   */
  ack(id) {
    return this.http.request("POST", "/v1/ack", { body: { id } });
  }

  /** The URL of a stream, with a ticket if there is a bearer token. @param {string|null} cursor */
  async #streamUrl(cursor) {
    /** @type {import("./http.js").Query} */
    const query = { last_event_id: cursor };
    if (this.withToken) {
      query.ticket = (await this.http.request("POST", "/v1/tickets", { body: {} })).ticket;
    }
    return this.http.url("/v1/events", query);
  }
}
