/** The messages of one conversation, as far as they are known. */

/**
 * Messages by seq and version. `low`…`high` is the range that is known without a hole; a live message beyond
 * it waits until the hole before it is filled over REST.
 */
export class Thread {
  #messages = new Map();
  #ordered = null;

  constructor() {
    /** @type {number|null} */
    this.low = null;
    this.high = 0;
    this.hasOlder = false;
    /** @type {"empty"|"loading"|"ready"|"failed"} */
    this.state = "empty";
    this.error = "";
    this.loadingOlder = false;
  }

  /** Whether a first page is there. */
  get loaded() {
    return this.low !== null;
  }

  /** Whether a message waits for others before it. */
  get hasHole() {
    if (!this.loaded) return false;
    for (const seq of this.#messages.keys()) if (seq > this.high) return true;
    return false;
  }

  /** The messages without a hole, ascending. @returns {import("./client.js").Message[]} */
  get messages() {
    this.#ordered ??= [...this.#messages.values()]
      .filter(({ seq }) => this.loaded && seq >= this.low && seq <= this.high)
      .sort((a, b) => a.seq - b.seq);
    return this.#ordered;
  }

  get(seq) {
    return this.#messages.get(seq);
  }

  /** Takes a message as it stands. @returns {boolean} whether that was news */
  apply(message) {
    const known = this.#messages.get(message.seq);
    if (known && known.version >= message.version) return false;
    if (!known && this.loaded && message.seq < this.low) return false; // comes with its page, should anyone look
    this.#messages.set(message.seq, message);
    this.#extend();
    return true;
  }

  /** Takes the newest page, the first one. */
  applyNewest(messages, hasMore) {
    this.low = messages.length ? messages[0].seq : 1;
    this.high = messages.length ? messages.at(-1).seq : 0;
    this.hasOlder = hasMore;
    this.state = "ready";
    this.#applyAll(messages);
  }

  /** Takes the page before `low`. */
  applyOlder(messages, hasMore) {
    if (messages.length) this.low = Math.min(this.low, messages[0].seq);
    this.hasOlder = hasMore && messages.length > 0;
    this.#applyAll(messages);
  }

  /** Takes the page after `high`. The page is the truth: a seq that it skips no longer exists. */
  applyNewer(messages, hasMore) {
    if (messages.length) this.high = Math.max(this.high, messages.at(-1).seq);
    this.#applyAll(messages);
    if (!hasMore) {
      for (const seq of this.#messages.keys()) this.high = Math.max(this.high, seq);
    }
  }

  #applyAll(messages) {
    for (const message of messages) {
      const known = this.#messages.get(message.seq);
      if (!known || known.version < message.version) this.#messages.set(message.seq, message);
    }
    this.#extend();
  }

  #extend() {
    this.#ordered = null;
    if (!this.loaded) return;
    while (this.#messages.has(this.high + 1)) this.high++;
  }
}
