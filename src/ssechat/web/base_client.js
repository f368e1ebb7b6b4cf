/** The server's interface as methods, and its stream as events: what the library (ssechat.js) stands on. */

import { BaseConversationRequests } from "./base_conversation_requests.js";
import { BaseMessageRequests } from "./base_message_requests.js";
import { Emitter } from "./emitter.js";
import { Http } from "./http.js";
import { newMessageId } from "./ids.js";
import { KINDS } from "./kinds.js";
import { lazily } from "./lazily.js";
import { SharedStream } from "./shared.js";
import { EventStream } from "./stream.js";
import { WorkerLink } from "./worker_link.js";

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
export class BaseClient extends Emitter {
  /** @type {SharedStream|null} */
  #stream = null;
  #cursor;
  #alone;
  /** @type {string|null} whose they are, once a stream was open */
  #cursorOf = null;
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
    /** @type {import("./conversation_requests.js").ConversationRequests} */
    this.conversations = this.requests("conversations", new BaseConversationRequests(this.http));
    /** @type {import("./message_requests.js").MessageRequests} */
    this.messages = this.requests("messages", new BaseMessageRequests(this.http));
    /** @type {import("./account_requests.js").AccountRequests} */
    this.account = this.requests("account");
    /** @type {import("./user_requests.js").UserRequests} */
    this.users = this.requests("users");
    /** @type {import("./group_requests.js").GroupRequests} */
    this.groups = this.requests("groups");
    /** @type {import("./block_requests.js").BlockRequests} */
    this.blocks = this.requests("blocks");
    /** @type {import("./presence_requests.js").PresenceRequests} */
    this.presence = this.requests("presence");
    this.#workers = workers;
    this.kinds = kinds;
    this.#cursor = cursor;
    this.#alone = cursor !== null;
  }

  /**
   * The requests about one thing, that are loaded when the first of them is made.
   *
   * @template {keyof import("./lazily.js").More} Name
   * @param {Name} name
   * @param {Record<string, any>} [own] those of them that need no loading
   * @returns {InstanceType<import("./lazily.js").More[Name]>}
   */
  requests(name, own) {
    return lazily(this.http, name, own);
  }

  /** The signed-in user's id, once it is known. @returns {string|null} */
  get user() {
    return this.http.user;
  }

  set user(user) {
    this.http.user = user;
  }

  /** Whether requests have a bearer token, and no cookie. */
  get withToken() {
    return this.http.withToken;
  }

  /** The server's URL, empty for the page's own. */
  get base() {
    return this.http.base;
  }

  /** @returns {Promise<import("./client.js").Facts>} facts about the server */
  server() {
    return this.http.request("GET", "/v1/server");
  }

  /** Returns the signed-in user. @returns {Promise<{user: string}>} @throws {RequestError} 401 if there is none */
  async session() {
    const { term } = this.http;
    const answer = await this.http.request("GET", "/v1/session");
    if (term === this.http.term) this.user = answer.user;
    return answer;
  }

  /**
   * Signs out on the server, which ends the stream. `close()` must be called after the other tabs know: the next in the
   * lock's queue then takes the stream over.
   */
  async signOut() {
    await this.http.request("DELETE", "/v1/session");
    this.http.token = null;
    this.forget();
  }

  /** Forgets who was signed in, as somebody else may be the next. */
  forget() {
    this.http.leave();
    this.#forgetCursor();
  }

  #forgetCursor() {
    this.#cursor = null;
    this.#alone = false;
  }

  /**
   * Opens the stream, one for all tabs of this browser that listen to the same kinds of events. Requires a known
   * user: that of `session`, or one who has just signed in.
   */
  open() {
    if (this.#stream) return;
    const { base, user } = this;
    if ((this.#cursorOf ?? user) !== user) this.#forgetCursor();
    this.#cursorOf = user;
    const kinds = [...this.kinds.keys()].sort().join();
    const workers = this.#workers && !this.withToken && !this.#alone;
    const stream = new SharedStream({
      // Tabs of versions before, which have `ssechat:stream`, would not understand what these tell each other.
      name: `ssechat:events:${base}:${user}:${kinds}${this.#alone ? `:${newMessageId()}` : ""}`,
      worker: workers ? () => new WorkerLink({ base, user, kinds }) : null,
      cursor: this.#cursor,
      oneCredential: !this.withToken,
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
    this.relay(stream, ["retry", "status", "reload", "unauthorized"]);
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
