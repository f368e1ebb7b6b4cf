/**
 * One stream for all tabs of a browser. HTTP/1.1 allows six connections per host, over all tabs: so one tab
 * holds the stream (Web Locks) and tells the others what it hears (BroadcastChannel). When it goes, the next in
 * line takes over from the last event id that it heard. Where locks are missing, each tab has its own stream.
 *
 * One that is frozen or hangs keeps its lock. So a tab that is looked at asks whether the holder is alive, and takes the
 * lock from one that says nothing. It has to ask: a message reaches a tab in the background at once, while the timer of a
 * heartbeat there may run once a minute (intensive throttling). Each time that somebody takes the stream is a term with a
 * number: what a former holder still says when it wakes up is of a lower one, and counts no more.
 */

import { position } from "./stream.js";

/**
 * Milliseconds: how long the holder may be silent before it is asked, and how long an answer may take before that is said
 * (`reconnecting`); after twice as long the stream is taken over. A busy tab answers within a second or so; a person
 * begins to wonder after a few.
 */
const SILENCE = 1_000;
const ANSWER_WITHIN = 1_500;

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
  #askedAt = 0;
  #asking = 0;
  #term = 0;
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
    this.#asking = setInterval(() => this.#watch(), SILENCE);
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
      this.#heardLeader = performance.now();
      this.#queue();
    }
  }

  #lead() {
    if (this.#stream) return;
    const stream = this.#create(this.cursor);
    this.#stream = stream;
    this.#term = Math.max(this.#term + 1, Date.now()); // also above those of which this tab has not heard
    stream.addEventListener("event", ({ detail }) => {
      if (this.#stream !== stream) return;
      this.#post({ kind: "event", event: detail });
      this.#deliver(detail);
    });
    stream.addEventListener("status", ({ detail }) => {
      if (this.#stream !== stream) return;
      this.#setStatus(detail);
      this.#tell();
    });
    stream.addEventListener("unauthorized", () => {
      if (this.#stream !== stream) return;
      this.#post({ kind: "unauthorized" });
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
    this.#post({ kind: "status", status: this.status, cursor: this.cursor });
  }

  #post(message) {
    this.#channel?.postMessage({ ...message, term: this.#term });
  }

  /** Looks after the holder, when somebody looks at this tab. */
  #watch() {
    if (document.hidden || this.#stream || !this.#channel) return;
    if (this.#askedAt <= this.#heardLeader && performance.now() - this.#heardLeader >= SILENCE) this.#ask();
  }

  /** Asks whether the tab that holds the stream is alive. */
  #ask({ wake = false } = {}) {
    if (this.#stream || !this.#channel) return;
    const asked = performance.now();
    this.#askedAt = asked;
    this.#channel.postMessage({ kind: "who", wake });
    this.#await(asked, () => {
      this.#setStatus("reconnecting");
      this.#channel.postMessage({ kind: "who" });
      this.#await(asked, () => this.#queue(true));
    });
  }

  /** Does something unless there was a word from the holder within the time. */
  #await(asked, silent) {
    const from = performance.now();
    setTimeout(() => {
      if (!this.#open || this.#stream || this.#heardLeader >= asked || this.#askedAt !== asked) return;
      // Called late, it was we who hung or slept: the answer may wait behind this very timer.
      if (document.hidden) this.#askedAt = 0;
      else if (performance.now() - from > 2 * ANSWER_WITHIN) this.#ask();
      else silent();
    }, ANSWER_WITHIN);
  }

  #hear(message) {
    if (message.kind === "who") {
      if (!this.#stream) return;
      if (message.wake) this.#stream.wake();
      this.#tell();
      return;
    }
    if (message.term < this.#term) return; // a former holder that has not noticed yet that it is one
    if (this.#stream) {
      if (message.term === this.#term) return;
      this.#follow(); // it is we who were taken for frozen
    }
    this.#term = message.term;
    this.#heardLeader = performance.now();
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
    else if (this.#missed(type, before, id)) this.#reload({ reason: "gap" });
  }

  /** Whether a tab that only listens has overheard something: the numbers in the ids are contiguous. */
  #missed(type, before, id) {
    if (this.#stream || before === null) return false;
    return position(id) > position(before) + (type === "ping" || type === "hello" ? 0 : 1);
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
