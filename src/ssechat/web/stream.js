/** One Server-Sent Events stream that reconnects until it is closed (WHATWG HTML §9.2). */

import { Emitter } from "./emitter.js";
import { backOff, RequestError, requestError } from "./http.js";
import { KINDS } from "./kinds.js";

/** The events of the protocol itself; the events that users cause are in kinds.js. */
const PROTOCOL = ["hello", "caught_up", "reset", "ping", "bye"];

/**
 * Milliseconds between a `bye` because of an ended credential and the check of the credential: by then another tab that
 * signed out has told this one, and all workers have been notified.
 */
const CREDENTIAL_CHECK = 500;

/** Milliseconds before the next attempt if the user has too many streams; the server's `retry:` is the same. */
const CROWDED = 15_000;

/** The `readyState` of an EventSource that does not reconnect by itself. */
const CLOSED = 2;

/** @typedef {"connecting"|"live"|"reconnecting"|"crowded"|"closed"} Status */

/**
 * @typedef {object} StreamEvent
 * @property {string} type
 * @property {string|null} id the cursor after the event
 * @property {string|null} after the cursor before it
 * @property {any} data
 */

/**
 * The number in an event id `<n>-<tag>`: a later event has a higher number.
 *
 * @param {string|null|undefined} id
 */
export function position(id) {
  return Number.parseInt(id ?? "", 10) || 0;
}

/**
 * Wraps EventSource, and reconnects where EventSource does not: after a status other than 200, after silence (a dead
 * connection that looks open), and at once on `wake()`.
 *
 * Events: `event`; `status` (`crowded`: the user has too many streams); `retry`, when the time of the next attempt is
 * known; `unauthorized`.
 *
 * @extends {Emitter<{event: StreamEvent, status: Status, retry: number, unauthorized: null}>}
 */
export class EventStream extends Emitter {
  /** @type {EventSource|import("./fetch_source.js").FetchSource|null} */
  #source = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #watchdog;
  #heardAt = 0;
  #wokenAt = 0;
  #failures = 0;
  #generation = 0;
  #saidBye = false;
  #options;
  /** @type {Status} */
  status = "closed";

  /**
   * @param {object} options
   * @param {(cursor: string|null) => Promise<string>|string} options.url gives the URL for a connection
   * @param {() => Promise<unknown>} options.probe rejects with status 401 when the credential is no longer valid
   * @param {string|null} [options.cursor] the last event id, or null to begin with the next event
   * @param {boolean} [options.singleUse] whether each connection needs a URL of its own (a ticket), and no cookie
   * @param {number} [options.silence] milliseconds without any event after which the connection counts as dead
   * @param {import("./kinds.js").Kinds} [options.kinds]
   * @param {string|null} [options.user] whose stream this is; that of another one, whom the cookie signs in now, is not
   */
  constructor({ url, probe, cursor = null, singleUse = false, silence = 45_000, kinds = KINDS, user = null }) {
    super();
    this.#options = { url, probe, singleUse, silence, user, types: [...PROTOCOL, ...kinds.keys()] };
    this.cursor = cursor;
  }

  /** Connects. */
  open() {
    this.#setStatus("connecting");
    this.#connect();
  }

  /** Disconnects for good. */
  close() {
    this.#drop();
    this.#setStatus("closed");
  }

  /** Connects again from the cursor, now. */
  reconnect() {
    if (this.status === "closed") return;
    if (this.status !== "crowded") this.#setStatus("reconnecting"); // there may still be too many streams
    this.#connect();
  }

  /** Reconnects now, if needed. Must be called when the network is back or the page becomes visible. */
  wake() {
    const stale = Date.now() - this.#heardAt > this.#options.silence;
    if ((this.status === "live" && !stale) || Date.now() - this.#wokenAt < 1000) return;
    this.#wokenAt = Date.now();
    this.reconnect();
  }

  #drop() {
    this.#generation++;
    this.#saidBye = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#source?.close();
    this.#source = null;
  }

  async #connect() {
    this.#drop();
    const generation = this.#generation;
    let url;
    try {
      url = await this.#options.url(this.cursor);
    } catch (error) {
      if (generation === this.#generation) this.#refused(requestError(error));
      return;
    }
    if (generation !== this.#generation) return;
    const Source = globalThis.EventSource ?? (await import("./fetch_source.js")).FetchSource;
    if (generation !== this.#generation) return;
    const source = new Source(url, { withCredentials: !this.#options.singleUse });
    this.#source = source;
    for (const type of this.#options.types) {
      source.addEventListener(type, (event) => this.#receive(source, /** @type {MessageEvent} */ (event)));
    }
    source.addEventListener("error", () => this.#failed(source));
    this.#watch();
  }

  #watch() {
    this.#heardAt = Date.now();
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.reconnect(), this.#options.silence);
  }

  /** @param {object} source @param {MessageEvent} event */
  #receive(source, event) {
    if (source !== this.#source) return;
    this.#watch();
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    if (event.type === "hello" && this.#isForeign(data)) return this.#refused(new RequestError(401));
    const after = this.cursor;
    // EventSource keeps the last id, also that of an event of an unknown kind.
    if (event.lastEventId) this.cursor = event.lastEventId;
    this.emit("event", { type: event.type, id: this.cursor, after, data });
    if (event.type === "hello") {
      this.#failures = 0;
      this.#setStatus("live");
    }
    if (event.type === "bye") this.#leave(data.reason);
    if (event.type === "ping" && position(data.id) > position(this.cursor)) this.reconnect(); // an event was lost
  }

  /** @param {{user?: string}} hello */
  #isForeign({ user }) {
    return this.#options.user !== null && user !== undefined && user !== this.#options.user;
  }

  /** @param {string} reason the server's reason for ending the stream */
  #leave(reason) {
    this.#saidBye = true;
    this.#setStatus(reason === "too_many" ? "crowded" : "reconnecting");
    if (reason === "signed_out" || reason === "token_expired") this.#retry(CREDENTIAL_CHECK);
  }

  /** @param {{readyState: number}} source */
  #failed(source) {
    if (source !== this.#source) return;
    if (!this.#saidBye) this.#setStatus("reconnecting");
    this.#saidBye = false;
    // In the state CONNECTING, EventSource reconnects by itself after the server's `retry:`.
    if (source.readyState === CLOSED || this.#options.singleUse) this.#retry(this.#pause());
  }

  /** Checks the credential after a delay (EventSource tells no status), and connects again. @param {number} delay */
  #retry(delay) {
    this.#drop();
    const generation = this.#generation;
    this.emit("retry", Date.now() + delay);
    this.#timer = setTimeout(async () => {
      try {
        await this.#options.probe();
      } catch (error) {
        if (generation === this.#generation) this.#refused(requestError(error));
        return;
      }
      if (generation === this.#generation) this.#connect();
    }, delay);
  }

  /** @param {import("./http.js").RequestError} error */
  #refused(error) {
    if (error.status === 401) {
      this.close();
      this.emit("unauthorized", null);
      return;
    }
    const pause = this.#pause();
    this.#setStatus("reconnecting");
    this.#retry(Math.max(pause, error.retryAfter ?? 0));
  }

  #pause() {
    const atLeast = this.status === "crowded" ? CROWDED : 0;
    return atLeast + backOff(++this.#failures);
  }

  /** @param {Status} status */
  #setStatus(status) {
    if (status === this.status) return;
    this.status = status;
    this.emit("status", status);
  }
}
