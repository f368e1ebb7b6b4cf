/** The loaded messages of one conversation. */

/** @typedef {import("./client.js").Message} Message */

/**
 * Messages by seq and version. The range from `low` to `high` has no hole. A live message beyond it is stored, and
 * shown when the hole before it is filled over REST.
 */
export class Thread {
  /** @type {Map<number, Message>} by seq */
  #messages = new Map();
  /** @type {Message[]|null} the cached messages without a hole, sorted; null after a change */
  #sorted = null;

  /** @type {number|null} */
  low = null;
  high = 0;
  hasOlder = false;
  /** Whether the range ends before the newest messages, as around an old one. */
  hasNewer = false;
  /** @type {"empty"|"loading"|"ready"|"failed"} */
  state = "empty";
  error = "";
  /** The server's name for that. @type {string|undefined} */
  refusal;
  loadingOlder = false;
  loadingNewer = false;

  /** Whether a first page is loaded. */
  get loaded() {
    return this.low !== null;
  }

  /** Whether messages are missing before a stored one. */
  get hasHole() {
    if (!this.loaded || this.hasNewer) return false;
    for (const seq of this.#messages.keys()) if (seq > this.high) return true;
    return false;
  }

  /** The messages without a hole, ascending. @returns {Message[]} */
  get messages() {
    this.#sorted ??= [...this.#messages.values()].filter(({ seq }) => this.get(seq)).sort((a, b) => a.seq - b.seq);
    return this.#sorted;
  }

  /**
   * Returns a message of the range.
   *
   * @param {number} seq
   */
  get(seq) {
    return this.low !== null && seq >= this.low && seq <= this.high ? this.#messages.get(seq) : undefined;
  }

  /**
   * Adds a message, or a newer version of it.
   *
   * @param {Message} message
   * @returns {boolean} whether that changed anything
   */
  apply(message) {
    const { seq } = message;
    if (this.low !== null && seq < this.low && !this.#messages.has(seq)) return false; // its page is not loaded yet
    const changed = this.#put(message);
    this.#extend();
    return changed;
  }

  /** @param {Message} message @returns {boolean} whether it is newer than what is known */
  #put(message) {
    const known = this.#messages.get(message.seq);
    if (known && known.version >= message.version) return false;
    this.#messages.set(message.seq, message);
    return true;
  }

  /** Adds a first page, the newest but with `hasNewer`. @param {Message[]} messages @param {boolean} hasMore */
  applyNewest(messages, hasMore) {
    this.low = messages[0]?.seq ?? 1;
    this.high = messages.at(-1)?.seq ?? 0;
    this.hasOlder = hasMore;
    this.state = "ready";
    this.#applyAll(messages);
  }

  /** Adds the page before `low`. @param {Message[]} messages @param {boolean} hasMore */
  applyOlder(messages, hasMore) {
    const [first] = messages;
    if (first && this.low !== null) this.low = Math.min(this.low, first.seq);
    this.hasOlder = hasMore && messages.length > 0;
    this.#applyAll(messages);
  }

  /**
   * Adds the page after `high`. A seq that the page skips does not exist any more.
   *
   * @param {Message[]} messages
   * @param {boolean} hasMore
   */
  applyNewer(messages, hasMore) {
    this.high = Math.max(this.high, messages.at(-1)?.seq ?? 0);
    this.hasNewer &&= hasMore;
    this.#applyAll(messages);
    if (!hasMore) {
      for (const seq of this.#messages.keys()) this.high = Math.max(this.high, seq);
    }
  }

  /** @param {Message[]} messages */
  #applyAll(messages) {
    for (const message of messages) this.#put(message);
    this.#extend();
  }

  #extend() {
    this.#sorted = null;
    if (!this.loaded) return;
    while (this.#messages.has(this.high + 1)) this.high++;
  }
}
