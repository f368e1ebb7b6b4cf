/** The server's interface as methods, and its stream as events: what the library (ssechat.js) stands on. */

import { RequestError } from "./http.js";
import { newMessageId } from "./ids.js";
import { KINDS } from "./kinds.js";
import { Rest } from "./rest.js";
import { SharedStream } from "./shared.js";
import { EventStream } from "./stream.js";
import { WorkerLink } from "./worker_link.js";

export { canonicalName, directConversationId, isName, newMessageId } from "./ids.js";
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
 * The server's HTTP interface as methods (rest.js), and its stream as events.
 *
 * Events: the stream's events by their names (`message`, `message.updated`, `member`, `reset` …; the detail is the
 * data), if kinds.js or `kinds` has them, and `event` after each of them, with its id; `status` (`connecting`, `live`,
 * `reconnecting`, `crowded`: the user has too many streams, `closed`); `retry`, when the time of the next attempt is
 * known; `reload` (`{reason, conversation_id?}`): events may have been missed, load over REST now; `unauthorized`: sign
 * in again.
 */
export class ChatClient extends Rest {
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
    super({ base, token });
    this.#workers = workers;
    this.kinds = kinds;
    this.#cursor = cursor;
    this.#alone = cursor !== null;
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
          url: (last) => this.streamUrl(last),
          probe: () => this.session(),
        }),
    });
    this.#stream = stream;
    stream.on("event", (event) => {
      this.emit(event.type, event.data);
      this.emit("event", event);
    });
    stream.on("retry", (at) => this.emit("retry", at));
    stream.on("status", (status) => this.emit("status", status));
    stream.on("reload", (reload) => this.emit("reload", reload));
    stream.on("unauthorized", () => this.emit("unauthorized", null));
    stream.open();
  }

  /** Closes the stream; `open()` opens it again. */
  close() {
    this.#cursor = this.cursor;
    this.#stream?.close();
    this.#stream = null;
  }

  /** @override */
  async signOut() {
    await super.signOut();
    this.#cursor = null;
    this.#alone = false;
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
}
