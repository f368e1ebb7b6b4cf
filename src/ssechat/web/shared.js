/**
 * One stream for all tabs of a browser, as HTTP/1.1 allows six connections per host, over all tabs. One tab holds the
 * stream (Web Locks) and forwards its events to the others (BroadcastChannel). When it closes, the next tab in the
 * lock's queue takes over from the last event id that it received.
 *
 * Where the cookie counts and there is a shared worker, that takes part as the first tab (worker.js).
 *
 * Web Locks need a secure context. Without them, as over plain HTTP, the worker holds the stream, or where there is
 * none the tab that was opened last: whoever held it lets go.
 *
 * A tab that is frozen or hangs keeps its lock. So a visible tab asks whether the holder is alive, and steals the
 * lock from one that does not answer. It asks, because a message reaches a background tab at once, while the timer of a
 * heartbeat there may run once a minute (intensive throttling). Each takeover of the stream begins a term with a higher
 * number: reports of a former holder that wakes up have a lower term, and are ignored.
 */

import { Emitter } from "./emitter.js";
import { hasTabs, isHidden, locks } from "./platform.js";
import { position } from "./stream.js";

/** @typedef {import("./stream.js").StreamEvent} StreamEvent */
/** @typedef {import("./stream.js").Status} Status */
/** @typedef {{reason: string, conversation_id?: string}} Reload */

/**
 * The messages between tabs: a question to the holder (`who`), or the holder's report.
 *
 * @typedef {{kind: "who", wake?: boolean}} Question
 * @typedef {{kind: typeof KINDS[number], detail: any}} Happening
 * @typedef {Happening | {kind: "status", status: Status, cursor: string|null}} Report
 */

/** The events of the stream that its holder passes on. */
const KINDS = /** @type {const} */ (["event", "retry", "unauthorized"]);

/**
 * Milliseconds after which a silent holder is asked, and milliseconds for its answer before the status is
 * `reconnecting`; after twice as long the stream is taken over. A busy tab answers within about a second; users
 * notice a delay of a few seconds.
 */
const SILENCE = 1_000;
const ANSWER_WITHIN = 1_500;

/**
 * Events: `event`, `status`, `retry` and `unauthorized` as in EventStream, and `reload`: events may have been missed,
 * so state must be loaded over REST; the events that follow are complete.
 *
 * @extends {Emitter<{event: StreamEvent, status: Status, retry: number, unauthorized: null, reload: Reload}>}
 */
export class SharedStream extends Emitter {
  #name;
  #create;
  /** @type {import("./stream.js").EventStream|null} */
  #stream = null;
  /** Ends the listening to the stream that this tab holds. */
  #holding = new AbortController();
  /** @type {BroadcastChannel|null} */
  #channel = null;
  /** @type {(value?: unknown) => void} */
  #release = () => {};
  /** @type {AbortController|null} */
  #waiting = null;
  #heardAt = 0;
  #askedAt = 0;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #asking;
  #term = 0;
  #joined = false;
  #open = false;
  #oneCredential;
  #worker;
  /** @type {import("./worker_link.js").WorkerLink|null} */
  #link = null;
  /** @type {Status} */
  status = "closed";

  /**
   * @param {object} options
   * @param {string} options.name the same for the tabs that share (one per user)
   * @param {(cursor: string|null) => import("./stream.js").EventStream} options.create creates the stream of this tab
   * @param {string|null} [options.cursor] the last event id of an earlier stream, from which this tab goes on
   * @param {(() => import("./worker_link.js").WorkerLink)|null} [options.worker] asks a shared worker to hold it
   * @param {boolean} [options.oneCredential] whether all tabs have the same one, the cookie: else one whose token has
   *   ended leaves, and the next takes the stream over with its own
   */
  constructor({ name, create, cursor = null, worker = null, oneCredential = true }) {
    super();
    this.#oneCredential = oneCredential;
    this.#worker = worker;
    this.#name = name;
    this.#create = create;
    /** @type {string|null} */
    this.cursor = cursor;
  }

  /** Whether this tab holds the stream. */
  get holds() {
    return this.#stream !== null;
  }

  /** Joins the other tabs. It listens first, so that state loaded afterwards has no hole. */
  open() {
    if (this.#open) return;
    this.#open = true;
    this.#joined = false;
    this.#setStatus("connecting");
    if (!hasTabs()) {
      this.#hold();
      return;
    }
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    if (this.#worker) this.#queueBehind(this.#worker());
    else this.#queueAndAsk();
    this.#asking = setInterval(() => this.#watch(), SILENCE);
  }

  /** Leaves; another tab takes over. */
  close() {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#asking);
    this.#waiting?.abort();
    this.#letGo();
    this.#release();
    this.#link?.leave();
    this.#link = null;
    this.#channel?.close();
    this.#channel = null;
    this.#setStatus("closed");
  }

  /** Must be called when the network is back or the page becomes visible. */
  wake() {
    if (this.#stream) this.#stream.wake();
    else this.#ask({ wake: true });
  }

  /**
   * Waits in the lock's queue behind the worker.
   *
   * @param {import("./worker_link.js").WorkerLink} link
   */
  async #queueBehind(link) {
    this.#link = link;
    const came = await link.ready;
    if (this.#link !== link || this.#stream) return;
    if (came && !locks()) this.#ask();
    else this.#queueAndAsk();
  }

  #queueAndAsk() {
    this.#queue();
    this.#ask();
  }

  /** Waits in the lock's queue; with `steal`, takes the lock from a frozen tab. Without locks it takes the stream. */
  async #queue(steal = false) {
    const manager = locks();
    if (!manager) return this.#hold();
    this.#waiting?.abort();
    const waiting = new AbortController();
    this.#waiting = waiting;
    const held = new Promise((resolve) => {
      this.#release = resolve;
    });
    try {
      await manager.request(this.#name, steal ? { steal } : { signal: waiting.signal }, () => {
        if (!this.#open || waiting.signal.aborted) return undefined;
        this.#hold();
        return held;
      });
    } catch {
      if (!this.#open || waiting.signal.aborted) return;
      this.#letGo(); // another tab, to which this one seemed frozen, has stolen the lock
      this.#heardAt = performance.now();
      this.#queue();
    }
  }

  #hold() {
    if (this.#stream) return;
    const stream = this.#create(this.cursor);
    this.#stream = stream;
    this.#term = Math.max(this.#term + 1, Date.now() + Math.random()); // also above terms that it has not seen
    this.#holding = new AbortController();
    const { signal } = this.#holding;
    for (const kind of KINDS) stream.on(kind, (detail) => this.#happened({ kind, detail }), { signal });
    stream.on(
      "status",
      (status) => {
        this.#setStatus(status);
        this.#postStatus();
      },
      { signal },
    );
    stream.open();
  }

  #letGo() {
    this.#holding.abort();
    this.#stream?.close();
    this.#stream = null;
  }

  /** Tells the other tabs, if it concerns them, and this one. @param {Happening} happening */
  #happened(happening) {
    if (happening.kind === "unauthorized" && !this.#oneCredential) this.close();
    else this.#post(happening);
    this.#take(happening);
  }

  /** @param {Happening} happening */
  #take(happening) {
    if (happening.kind === "event") this.#deliver(happening.detail);
    else this.emit(happening.kind, happening.detail);
  }

  #postStatus() {
    this.#post({ kind: "status", status: this.status, cursor: this.cursor });
  }

  /** @param {Report} report */
  #post(report) {
    this.#channel?.postMessage({ ...report, term: this.#term });
  }

  /** Asks a holder that is silent, while this tab is visible. */
  #watch() {
    if (isHidden() || this.#stream || !this.#channel) return;
    if (this.#askedAt <= this.#heardAt && performance.now() - this.#heardAt >= SILENCE) this.#ask();
  }

  /** Asks whether the tab that holds the stream is alive. */
  #ask({ wake = false } = {}) {
    const channel = this.#channel;
    if (this.#stream || !channel) return;
    const asked = performance.now();
    this.#askedAt = asked;
    channel.postMessage({ kind: "who", wake });
    this.#unlessAnswered(asked, () => {
      this.#setStatus("reconnecting");
      channel.postMessage({ kind: "who" });
      this.#unlessAnswered(asked, () => this.#queue(true));
    });
  }

  /** Calls `silent` unless the holder answers in time. @param {number} asked @param {() => void} silent */
  #unlessAnswered(asked, silent) {
    const from = performance.now();
    setTimeout(() => {
      if (!this.#open || this.#stream || this.#heardAt >= asked || this.#askedAt !== asked) return;
      // If this call is late, this tab itself hung or slept: the answer may be queued behind this timer.
      if (isHidden()) this.#askedAt = 0;
      else if (performance.now() - from > 2 * ANSWER_WITHIN) this.#ask();
      else silent();
    }, ANSWER_WITHIN);
  }

  /** @param {Question | (Report & {term: number})} message */
  #hear(message) {
    if (message.kind === "who") {
      if (!this.#stream) return;
      if (message.wake) this.#stream.wake();
      this.#postStatus();
      return;
    }
    if (message.term < this.#term) return; // from a former holder that has not noticed the takeover
    if (this.#stream) {
      if (message.term === this.#term) return;
      this.#letGo(); // this tab seemed frozen to another one
    }
    this.#term = message.term;
    this.#heardAt = performance.now();
    if (message.kind !== "status") {
      if (message.kind !== "unauthorized" || this.#oneCredential) this.#take(message);
      return;
    }
    this.cursor ??= message.cursor;
    if (message.status !== "closed") this.#setStatus(message.status);
    if (message.status === "live" && !this.#joined) this.#reload({ reason: "joined" });
  }

  /** @param {StreamEvent} event */
  #deliver(event) {
    const { type, id, after, data } = event;
    const before = this.cursor;
    this.cursor = id ?? this.cursor;
    this.emit("event", event);
    if (type === "hello" && !data.resumed && (before !== id || !this.#joined)) this.#reload({ reason: "fresh" });
    else if (type === "hello" && !this.#joined) this.#reload({ reason: "joined" });
    else if (type === "reset") this.#reload(data);
    // A listening tab has missed an event if the holder's cursor was further on when this event came.
    else if (!this.#stream && before !== null && position(after) > position(before)) this.#reload({ reason: "gap" });
  }

  /** @param {Reload} detail */
  #reload(detail) {
    this.#joined = true;
    this.emit("reload", detail);
  }

  /** @param {Status} status */
  #setStatus(status) {
    if (status === this.status) return;
    this.status = status;
    this.emit("status", status);
  }
}
