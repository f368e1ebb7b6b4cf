/**
 * One stream for all tabs of a browser. HTTP/1.1 allows six connections per host, over all tabs: so one tab
 * holds the stream (Web Locks) and tells the others what it hears (BroadcastChannel). When it goes, the next in
 * line takes over from the last event id that it heard. Where locks are missing, each tab has its own stream.
 */

import { position } from "./stream.js";

const ANSWER_WITHIN = 5_000;
const ASK_EVERY = 20_000;

/**
 * Events: `event` and `status` as in EventStream, `unauthorized`, and `reload` (detail `{reason}` and perhaps
 * `conversation_id`): what this tab knows may have a hole, so load it over REST; what comes after is complete.
 */
export class SharedStream extends EventTarget {
  #name;
  #create;
  #stream = null;
  #channel = null;
  #release = () => {};
  #waiting = null;
  #heardLeader = 0;
  #asking = 0;
  #joined = false;
  #open = false;

  /**
   * @param {object} options
   * @param {string} options.name the same for the tabs that share (one per user)
   * @param {(cursor: string|null) => import("./stream.js").EventStream} options.create makes the real stream
   */
  constructor({ name, create }) {
    super();
    this.#name = name;
    this.#create = create;
    this.cursor = null;
    this.status = "closed";
  }

  /** Whether this tab holds the stream. */
  get leads() {
    return this.#stream !== null;
  }

  /** Joins the other tabs. Listens first, so that whatever is loaded afterwards has no hole. */
  open() {
    if (this.#open) return;
    this.#open = true;
    this.#joined = false;
    this.#setStatus("connecting");
    if (!navigator.locks || typeof BroadcastChannel === "undefined") {
      this.#lead();
      return;
    }
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#queue();
    this.#ask();
    this.#asking = setInterval(() => document.hidden || this.#ask(), ASK_EVERY);
  }

  /** Leaves; another tab takes over. */
  close() {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#asking);
    this.#waiting?.abort();
    this.#follow();
    this.#release();
    this.#channel?.close();
    this.#channel = null;
    this.#setStatus("closed");
  }

  /** To call when the network is back or the page is visible again. */
  wake() {
    if (this.#stream) this.#stream.wake();
    else this.#ask({ wake: true });
  }

  /** Waits in line for the lock; with steal, takes it from a tab that is frozen. */
  async #queue(steal = false) {
    this.#waiting?.abort();
    const waiting = new AbortController();
    this.#waiting = waiting;
    const held = new Promise((resolve) => (this.#release = resolve));
    try {
      await navigator.locks.request(this.#name, steal ? { steal } : { signal: waiting.signal }, () => {
        if (!this.#open || waiting.signal.aborted) return undefined;
        this.#lead();
        return held;
      });
    } catch {
      if (!this.#open || waiting.signal.aborted) return;
      this.#follow(); // a tab that took us for frozen has stolen the lock
      this.#heardLeader = Date.now();
      this.#queue();
    }
  }

  #lead() {
    if (this.#stream) return;
    const stream = this.#create(this.cursor);
    this.#stream = stream;
    stream.addEventListener("event", ({ detail }) => {
      this.#channel?.postMessage({ kind: "event", event: detail });
      this.#deliver(detail);
    });
    stream.addEventListener("status", ({ detail }) => {
      if (this.#stream !== stream) return;
      this.#setStatus(detail);
      this.#tell();
    });
    stream.addEventListener("unauthorized", () => {
      this.#channel?.postMessage({ kind: "unauthorized" });
      this.dispatchEvent(new CustomEvent("unauthorized"));
    });
    stream.open();
  }

  #follow() {
    const stream = this.#stream;
    this.#stream = null;
    stream?.close();
  }

  #tell() {
    this.#channel?.postMessage({ kind: "status", status: this.status, cursor: this.cursor });
  }

  /** Asks whether the tab that holds the stream is alive; a phone may have frozen it, lock and all. */
  #ask({ wake = false } = {}) {
    if (this.#stream || !this.#channel) return;
    const asked = Date.now();
    this.#channel.postMessage({ kind: "who", wake });
    setTimeout(() => {
      if (!this.#open || this.#stream || this.#heardLeader >= asked || document.hidden) return;
      // Called late, it was we who hung or slept: the answer may wait behind this very timer.
      if (Date.now() - asked > 2 * ANSWER_WITHIN) this.#ask();
      else this.#queue(true);
    }, ANSWER_WITHIN);
  }

  #hear(message) {
    if (message.kind === "who") {
      if (!this.#stream) return;
      if (message.wake) this.#stream.wake();
      this.#tell();
      return;
    }
    if (this.#stream) return; // a rival that has not noticed yet that it lost the lock
    this.#heardLeader = Date.now();
    if (message.kind === "event") {
      this.#deliver(message.event);
    } else if (message.kind === "status") {
      this.cursor ??= message.cursor;
      if (message.status !== "closed") this.#setStatus(message.status);
      if (message.status === "live" && !this.#joined) this.#reload({ reason: "joined" });
    } else if (message.kind === "unauthorized") {
      this.dispatchEvent(new CustomEvent("unauthorized"));
    }
  }

  #deliver(event) {
    const { type, id, data } = event;
    const before = this.cursor;
    this.cursor = id ?? this.cursor;
    this.dispatchEvent(new CustomEvent("event", { detail: event }));
    if (type === "hello" && !data.resumed && (before !== id || !this.#joined)) this.#reload({ reason: "fresh" });
    else if (type === "hello" && !this.#joined) this.#reload({ reason: "joined" });
    else if (type === "reset") this.#reload(data);
    else if (type === "ping" && !this.#stream && position(id) > position(before)) this.#reload({ reason: "gap" });
  }

  #reload(detail) {
    this.#joined = true;
    this.dispatchEvent(new CustomEvent("reload", { detail }));
  }

  #setStatus(status) {
    if (status === this.status) return;
    this.status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}
