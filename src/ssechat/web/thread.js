/** The loaded messages of one conversation. */

/** @typedef {import("./client.js").Message} Message */

/**
 * Messages by seq and version. The range from `low` to `high` has no hole. A live message beyond it is stored, and
 * shown when the hole before it is filled over REST. Messages that others answer (quotes) may be outside the range.
 */
export class Thread {
  /** @type {Map<number, Message>} by seq */
  #messages = new Map();
  /** @type {Message[]|null} the cached messages without a hole, sorted; null after a change */
  #sorted = null;
  /** @type {Map<number, Message|null>} quotes by seq; null for one that cannot be read */
  #quotes = new Map();
  /** @type {Set<number>} quotes that are being loaded */
  #asked = new Set();
  /** @type {Map<string, boolean>} whether the user has reacted, by seq and emoji, where the message does not tell */
  #reacted = new Map();

  constructor() {
    /** @type {number|null} */
    this.low = null;
    this.high = 0;
    this.hasOlder = false;
    /** Whether the range ends before the newest messages, as around an old one. */
    this.hasNewer = false;
    /** @type {"empty"|"loading"|"ready"|"failed"} */
    this.state = "empty";
    this.error = "";
    /** The server's name for that. @type {string|undefined} */
    this.refusal = undefined;
    this.loadingOlder = false;
    this.loadingNewer = false;
  }

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
    const low = this.low ?? Number.POSITIVE_INFINITY;
    this.#sorted ??= [...this.#messages.values()]
      .filter(({ seq }) => seq >= low && seq <= this.high)
      .sort((a, b) => a.seq - b.seq);
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
   * Returns a message that others answer.
   *
   * @param {number} seq
   * @returns {Message|null|undefined} null if it cannot be read, undefined if it is not loaded
   */
  quoted(seq) {
    return this.#messages.get(seq) ?? this.#quotes.get(seq);
  }

  /** Whether a quote must be loaded; says so once. @param {number} seq */
  asksFor(seq) {
    if (this.quoted(seq) !== undefined || this.#asked.has(seq)) return false;
    this.#asked.add(seq);
    return true;
  }

  /** Adds a quote, or null for one that cannot be read. @param {number} seq @param {Message|null} message */
  applyQuote(seq, message) {
    const known = this.#quotes.get(seq);
    if (known && message && known.version >= message.version) return false; // an event was faster
    this.#quotes.set(seq, message);
    return true;
  }

  /**
   * Whether the user has reacted so to a message: the message names three users of each reaction.
   *
   * @param {Message} message
   * @param {string} emoji
   * @param {string} user
   * @returns {boolean|undefined} undefined if that must be asked
   */
  reacted({ seq, reactions = [] }, emoji, user) {
    const reaction = reactions.find((one) => one.emoji === emoji);
    if (!reaction || reaction.users.includes(user)) return reaction !== undefined;
    return reaction.count <= reaction.users.length ? false : this.#reacted.get(`${seq}:${emoji}`);
  }

  /** Notes whether the user has reacted so. @param {number} seq @param {string} emoji @param {boolean} reacted */
  noteReacted(seq, emoji, reacted) {
    this.#reacted.set(`${seq}:${emoji}`, reacted);
  }

  /**
   * Adds a message, or a newer version of it.
   *
   * @param {Message} message
   * @returns {boolean} whether that changed anything
   */
  apply(message) {
    const quoted = this.#quotes.has(message.seq) || this.#asked.has(message.seq);
    const newQuote = quoted && this.applyQuote(message.seq, message);
    return this.#put(message) || newQuote;
  }

  /** @param {Message} message */
  #put(message) {
    const known = this.#messages.get(message.seq);
    if (known && known.version >= message.version) return false;
    if (!known && this.low !== null && message.seq < this.low) return false; // the page with it is not loaded yet
    this.#messages.set(message.seq, message);
    this.#extend();
    return true;
  }

  /** Adds the newest page, the first one. @param {Message[]} messages @param {boolean} hasMore */
  applyNewest(messages, hasMore) {
    this.low = messages[0]?.seq ?? 1;
    this.high = messages.at(-1)?.seq ?? 0;
    this.hasOlder = hasMore;
    this.state = "ready";
    this.#applyAll(messages);
  }

  /**
   * Adds a first page that is not the newest.
   *
   * @param {Message[]} messages
   * @param {boolean} hasOlder
   * @param {boolean} hasNewer
   */
  applyAround(messages, hasOlder, hasNewer) {
    this.hasNewer = hasNewer;
    this.applyNewest(messages, hasOlder);
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
    for (const message of messages) {
      const known = this.#messages.get(message.seq);
      if (!known || known.version < message.version) this.#messages.set(message.seq, message);
    }
    this.#extend();
  }

  #extend() {
    this.#sorted = null;
    if (!this.loaded) return;
    while (this.#messages.has(this.high + 1)) this.high++;
  }
}
