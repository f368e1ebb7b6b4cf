/** One Server-Sent Events stream that never gives up (WHATWG HTML §9.2). */

import { backOff } from "./http.js";

const EVENTS = [
  "hello",
  "caught_up",
  "reset",
  "message",
  "message.updated",
  "message.deleted",
  "reaction",
  "conversation",
  "member",
  "receipt",
  "typing",
  "presence",
  "ping",
  "bye",
];

/**
 * Milliseconds after a credential's end before it is asked whether that is so: by then another tab that signed out has
 * told us, and every worker knows.
 */
const PARTED = 500;

/** Milliseconds after which one comes back at the earliest for whom there was no room, as the server's `retry:` says. */
const CROWDED = 15_000;

/** The running number in an event id `<n>-<tag>`, to see which of two is further on. */
export function position(id) {
  return Number.parseInt(id ?? "", 10) || 0;
}

/**
 * Wraps EventSource. It comes back by itself where EventSource does not: after a status other than 200, after
 * silence (a connection that is dead but looks open), and at once when asked with `wake()`.
 *
 * Events: `event` (detail `{type, id, data}`, where id is the cursor after it), `status` (detail `connecting`,
 * `live`, `reconnecting`, `crowded` while this user has too many streams, or `closed`), `unauthorized`.
 */
export class EventStream extends EventTarget {
  #source = null;
  #timer = 0;
  #watchdog = 0;
  #heard = 0;
  #woken = 0;
  #failures = 0;
  #generation = 0;
  #sentAway = false;
  #options;

  /**
   * @param {object} options
   * @param {(cursor: string|null) => Promise<string>|string} options.url gives the URL for a connection
   * @param {() => Promise<unknown>} options.probe rejects with status 401 when the credential no longer counts
   * @param {string|null} options.cursor the last event id seen, or null to begin with what comes next
   * @param {boolean} options.singleUse whether each connection needs a URL of its own (a ticket)
   * @param {number} options.silence milliseconds without any event after which the connection counts as dead
   */
  constructor({ url, probe, cursor = null, singleUse = false, silence = 45_000 }) {
    super();
    this.#options = { url, probe, singleUse, silence };
    this.cursor = cursor;
    this.status = "closed";
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
    if (this.status !== "crowded") this.#setStatus("reconnecting"); // there may be no room yet
    this.#connect();
  }

  /** To call when there is reason to hope (network back, page visible): reconnects now if that is needed. */
  wake() {
    const stale = Date.now() - this.#heard > this.#options.silence;
    if ((this.status === "live" && !stale) || Date.now() - this.#woken < 1000) return;
    this.#woken = Date.now();
    this.reconnect();
  }

  #drop() {
    this.#generation++;
    this.#sentAway = false;
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
      if (generation === this.#generation) this.#refused(error);
      return;
    }
    if (generation !== this.#generation) return;
    const source = new EventSource(url, { withCredentials: !this.#options.singleUse });
    this.#source = source;
    for (const type of EVENTS) source.addEventListener(type, (event) => this.#receive(source, event));
    source.addEventListener("error", () => this.#failed(source));
    this.#watch();
  }

  #watch() {
    this.#heard = Date.now();
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.reconnect(), this.#options.silence);
  }

  #receive(source, event) {
    if (source !== this.#source) return;
    this.#watch();
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    if (event.lastEventId) this.cursor = event.lastEventId;
    this.dispatchEvent(new CustomEvent("event", { detail: { type: event.type, id: this.cursor, data } }));
    if (event.type === "hello") {
      this.#failures = 0;
      this.#setStatus("live");
    }
    if (event.type === "bye") this.#parted(data.reason);
    if (event.type === "ping" && position(data.id) > position(this.cursor)) this.reconnect(); // something got lost
  }

  #parted(reason) {
    this.#sentAway = true;
    this.#setStatus(reason === "too_many" ? "crowded" : "reconnecting");
    if (reason === "signed_out" || reason === "token_expired") this.#retry(PARTED);
  }

  #failed(source) {
    if (source !== this.#source) return;
    if (!this.#sentAway) this.#setStatus("reconnecting");
    this.#sentAway = false;
    // While it is CONNECTING, EventSource comes back by itself after the server's own `retry:`.
    if (source.readyState === EventSource.CLOSED || this.#options.singleUse) this.#retry(this.#pause());
  }

  /** Waits, makes sure that we are still signed in (EventSource tells no status), and connects again. */
  #retry(delay) {
    this.#drop();
    const generation = this.#generation;
    this.#timer = setTimeout(async () => {
      try {
        await this.#options.probe();
      } catch (error) {
        if (generation === this.#generation) this.#refused(error);
        return;
      }
      if (generation === this.#generation) this.#connect();
    }, delay);
  }

  #refused(error) {
    if (error.status === 401) {
      this.close();
      this.dispatchEvent(new CustomEvent("unauthorized"));
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

  #setStatus(status) {
    if (status === this.status) return;
    this.status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}
