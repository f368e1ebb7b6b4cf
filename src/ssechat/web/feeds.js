/**
 * Reads feeds: what one publishes and many read.
 *
 *     import { Feed } from "https://chat.example.com/web/feeds.min.js";
 *     for await (const { key, data } of new Feed("https://chat.example.com/v1/feeds/prices")) show(key, data);
 *
 * It is no part of `ssechat.js`: a page that only reads feeds loads this alone, and one that only chats does not.
 */

import { Emitter } from "./emitter.js";
import { readEvents } from "./event_reader.js";
import { backOff, Http, RequestError, refusalOf } from "./http.js";
import { watchPage } from "./platform.js";
import { Waits } from "./waits.js";

export { RequestError };

/** The events that are not published, but say how the stream is. */
const OWN = new Set(["retry", "hello", "caught_up", "ping", "bye", "reset"]);

/** Milliseconds without any event after which the connection counts as dead. */
const SILENCE = 45_000;

/** How many events of a feed without keys are loaded after a gap: the server gives no more at once. */
const LOADED = 200;

/** Events that may wait for a loop that is slow; with keys no more than one a key does. */
const MOST = 10_000;

/**
 * An event of a feed, as the stream and the feed's JSON have it.
 *
 * @typedef {object} FeedEvent
 * @property {string} id
 * @property {string} event the name that its publisher gave it, `message` without one
 * @property {string} [key] of a feed with keys: the one whose newest value this is
 * @property {any} data of a feed with keys null means: the key was deleted
 * @property {string} created_at RFC 3339, UTC
 */

/**
 * What somebody has read of a feed; JSON can keep it. `events` are the newest of each key.
 *
 * @typedef {{cursor: string|null, events: FeedEvent[]}} Known
 */

/**
 * How the stream is. `retryAt` is the time of the next attempt, in milliseconds since 1970; `code` says why it is not
 * live, as the server's errors do (`unknown_feed`, `unreachable` …). It is `closed` if it was closed, or has been
 * refused for good.
 *
 * @typedef {object} FeedState
 * @property {"connecting"|"live"|"reconnecting"|"closed"} state
 * @property {number|null} retryAt
 * @property {string|null} code
 */

/** @typedef {{feed: string, resumed: boolean, missed: number}} Hello */

/**
 * The details of the events, by their names.
 *
 * @typedef {{event: FeedEvent, state: FeedState, hello: Hello, reset: {reason: string}}} FeedEvents
 */

/**
 * One feed. It is read from `open()`, or the first loop over it, until `close()`, the signal, or the end of that loop,
 * over any number of connections: nothing is missed and nothing comes twice, but of a feed with keys only the newest
 * value of each key comes where there were several meanwhile.
 *
 *     const feed = new Feed("prices");
 *     feed.addEventListener("event", ({ detail: { key, data } }) => show(key, data));
 *     feed.open();
 *
 * Events, each with a `detail`: `event` (a FeedEvent: what was published); `state` (a FeedState); `hello` (after each
 * connection: whether it was resumed, and how many events were missed, which follow); `reset` (some of what was missed
 * is not kept any more: what the feed has now follows, and keys that it has not are deleted).
 *
 * @extends {Emitter<FeedEvents>}
 */
export class Feed extends Emitter {
  /** What a loop throws that ends because the server has refused the feed. @type {RequestError|null} */
  error = null;
  #http;
  #path;
  #last;
  #signal;
  /** @type {string|null} */
  #cursor;
  /** @type {Map<string, FeedEvent>} */
  #values = new Map();
  /** @type {FeedState} */
  #state = { state: "closed", retryAt: null, code: null };
  /** @type {AbortController|null} */
  #running = null;
  /** @type {AbortController|null} */
  #connection = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #watchdog;
  #heardAt = 0;
  #waits = new Waits();
  #failures = 0;
  #resets = 0;
  /** @type {number|null} milliseconds that the server asks to wait before the next connection */
  #retry = null;
  /** @type {string|null} why the server has ended the stream */
  #reason = null;
  /** @type {string|null} why the feed is to be loaded before the stream goes on */
  #lost = null;

  /**
   * @param {string|URL} feed its name, or its URL (`…/v1/feeds/prices`)
   * @param {object} options
   * @param {string} [options.url] with a name: the server's, empty for the page's own
   * @param {string|null|import("./http.js").TokenSource} [options.token] a bearer token, or what gives one; without it
   *   the session's cookie counts, and a public feed needs neither
   * @param {Known|null} [options.known] what an earlier one had, to go on from there
   * @param {number} [options.last] of a feed without keys: so many of the newest events first, 200 at most
   * @param {AbortSignal} [options.signal] closes it
   */
  constructor(feed, { url = "", token = null, known = null, last = 0, signal } = {}) {
    super();
    const { base, path } = placeOf(String(feed), url);
    this.#http = new Http({ base, token });
    this.#path = path;
    this.#last = last;
    this.#cursor = known?.cursor ?? null;
    for (const event of known?.events ?? []) this.#values.set(event.key ?? event.id, event);
    this.#signal = signal;
    signal?.addEventListener("abort", () => this.close(), { once: true });
  }

  /** @returns {FeedState} */
  get state() {
    return this.#state;
  }

  /** What has been read, from which a later one can go on. @returns {Known} */
  get known() {
    return { cursor: this.#cursor, events: [...this.#values.values()] };
  }

  /** The newest of each key. @returns {ReadonlyMap<string, FeedEvent>} */
  get values() {
    return this.#values;
  }

  /** Reads on from where it was. */
  open() {
    if (this.#running || this.#signal?.aborted) return;
    const running = new AbortController();
    const { signal } = running;
    this.#running = running;
    this.error = null;
    this.#failures = 0;
    watchPage(signal, {
      returned: () => this.wake(),
      hidden: () => this.#connection?.abort(), // a page that is kept in memory must not hold a connection
      shown: () => this.wake(),
    });
    this.#read(signal);
  }

  /** Ends the stream, and loops; `open()` goes on. */
  close() {
    this.#running?.abort();
    this.#running = null;
    this.#connection?.abort();
    this.#waits.wake();
    this.#set("closed");
  }

  /** Tries at once what waits for its next attempt: the network may be back. */
  wake() {
    if (Date.now() - this.#heardAt > SILENCE) this.#connection?.abort();
    this.#waits.wake();
  }

  /**
   * The events; of a feed with keys, first what is known of each. Where the loop is slow, only the newest of each key
   * waits. It ends with the feed.
   *
   * @returns {AsyncGenerator<FeedEvent, void, void>}
   * @throws {RequestError} the server refuses the feed
   */
  async *[Symbol.asyncIterator]() {
    const listening = new AbortController();
    const waiting = new Map(this.#values);
    let wake = () => {};
    let full = false;
    const add = (/** @type {FeedEvent} */ event) => {
      const name = event.key ?? event.id;
      waiting.delete(name);
      if (waiting.size < MOST) waiting.set(name, event);
      else full = true;
      wake();
    };
    this.on("event", add, { signal: listening.signal });
    this.on("state", () => wake(), { signal: listening.signal });
    const opens = !this.#running;
    this.open();
    try {
      for (;;) {
        const [next] = waiting;
        if (next) {
          waiting.delete(next[0]);
          yield next[1];
        } else if (full) {
          throw new RangeError(`More than ${MOST} events waited for this loop.`);
        } else if (this.#state.state === "closed") {
          if (this.error) throw this.error;
          return;
        } else {
          await new Promise((resolve) => (wake = () => resolve(undefined)));
        }
      }
    } finally {
      listening.abort();
      if (opens) this.close();
    }
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    this.#set("connecting");
    while (!signal.aborted) {
      /** @type {RequestError|null} */
      let error = null;
      try {
        if (this.#lost !== null) await this.#load(signal);
        if (!signal.aborted) await this.#connect(signal);
      } catch (thrown) {
        error = thrown instanceof RequestError ? thrown : new RequestError(0);
      }
      if (signal.aborted) return;
      if (error && !error.temporary) return this.#refused(error);
      const pause = this.#pause(error);
      this.#set("reconnecting", Date.now() + pause, error?.code ?? this.#reason);
      if (pause) await this.#waits.sleep(pause, error?.retryAfter ?? null);
    }
  }

  /** Milliseconds until the next attempt. @param {RequestError|null} error */
  #pause(error) {
    if (error) return Math.max(backOff(++this.#failures), error.retryAfter ?? 0);
    if (this.#lost !== null) return ++this.#resets > 1 ? backOff(this.#resets) : 0;
    const own = this.#failures++ || this.#retry === null ? backOff(this.#failures) : 0;
    return Math.max(own, this.#retry ?? 0);
  }

  /** @param {RequestError} error */
  #refused(error) {
    this.error = error;
    this.#running?.abort();
    this.#running = null;
    this.#set("closed", null, error.code);
  }

  /** Reads one connection to its end. @param {AbortSignal} signal @throws {RequestError} */
  async #connect(signal) {
    const connection = new AbortController();
    this.#connection = connection;
    this.#reason = null;
    this.#watch();
    try {
      /** @type {import("./http.js").Query} */
      const query = { last_event_id: this.#cursor };
      if (this.#cursor === null && this.#last) query.last = this.#last;
      if (this.#http.withToken) query.ticket = await this.#ticket();
      if (signal.aborted) return;
      const response = await fetch(this.#http.url(`${this.#path}/events`, query), {
        headers: { Accept: "text/event-stream" },
        credentials: this.#http.withToken ? "omit" : "same-origin",
        cache: "no-store",
        signal: connection.signal,
      });
      if (response.status !== 200) throw await refusalOf(response);
      const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
      if (!response.body || !isStream) throw new RequestError(0); // of something in between
      await readEvents(response.body, (frame) => connection.signal.aborted || this.#take(frame, connection));
    } catch (thrown) {
      if (!connection.signal.aborted) throw thrown;
    } finally {
      clearTimeout(this.#watchdog);
    }
  }

  async #ticket() {
    return (await this.#http.request("POST", "/v1/tickets", { body: {} })).ticket;
  }

  #watch() {
    this.#heardAt = Date.now();
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#connection?.abort(), SILENCE);
  }

  /** @param {import("./event_reader.js").Frame} frame @param {AbortController} connection */
  #take({ type, data: text, id, retry }, connection) {
    this.#watch();
    if (retry !== null) this.#retry = retry;
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      return;
    }
    if (type === "reset") {
      this.#lost = data.reason; // the cursor stays until the feed is loaded
      connection.abort();
      return;
    }
    if (id) this.#cursor = id;
    if (!OWN.has(type)) {
      this.#resets = 0;
      this.#put({ id, event: type, ...data });
    } else if (type === "hello") {
      this.#failures = 0;
      this.emit("hello", data);
      this.#set("live");
    } else if (type === "bye") {
      this.#reason = data.reason;
    } else if (type === "ping" && numberOf(data.id) > numberOf(this.#cursor)) {
      connection.abort(); // an event was lost
    }
  }

  /** Loads what the feed has now, in place of what was missed. @param {AbortSignal} signal */
  async #load(signal) {
    /** @type {{id: string, events: FeedEvent[]}} */
    const { id, events } = await this.#http.request("GET", this.#path, { query: { last: LOADED } });
    if (signal.aborted) return;
    const reason = this.#lost ?? "";
    this.#lost = null;
    this.#cursor = id;
    this.emit("reset", { reason });
    const kept = new Set(events.map(({ key }) => key));
    const created_at = new Date().toISOString();
    for (const key of [...this.#values.keys()]) {
      if (!kept.has(key)) this.#put({ id, event: "message", key, data: null, created_at });
    }
    for (const event of events) this.#put(event);
  }

  /** @param {FeedEvent} event */
  #put(event) {
    const { key, data } = event;
    if (key !== undefined) {
      this.#values.delete(key); // at the end: in the order in which they were published
      if (data !== null) this.#values.set(key, event);
    }
    this.emit("event", event);
  }

  /** @param {FeedState["state"]} state @param {number|null} retryAt @param {string|null} code */
  #set(state, retryAt = null, code = null) {
    const before = this.#state;
    if (before.state === state && before.retryAt === retryAt && before.code === code) return;
    this.#state = { state, retryAt, code };
    this.emit("state", this.#state);
  }
}

/**
 * Where a feed is.
 *
 * @param {string} feed its name or its URL
 * @param {string} url of the server
 */
function placeOf(feed, url) {
  const [, base = url, name = encodeURIComponent(feed)] = /^(.*)\/v1\/feeds\/([^/?#]+)/.exec(feed) ?? [];
  return { base, path: `/v1/feeds/${name}` };
}

/** The number in an event's id, `<n>-<tag>`. @param {string|null|undefined} id */
export function numberOf(id) {
  return Number.parseInt(id ?? "", 10) || 0;
}
