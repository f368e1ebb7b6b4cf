/** What messages refer to beyond themselves: those that they answer, and whether the user has reacted to them. */

/** @typedef {import("./client.js").Message} Message */
/** @typedef {import("./thread.js").Thread} Thread */

/** What is known around the messages of one thread. */
export class Quoted {
  #thread;
  /** @type {Map<number, Message|null>} by seq; null for one that cannot be read */
  #quotes = new Map();
  /** @type {Set<number>} those that are being loaded */
  #asked = new Set();
  /** @type {Map<string, boolean>} whether the user has reacted, by seq and emoji, where the message does not tell */
  #reacted = new Map();

  /** @param {Thread} thread */
  constructor(thread) {
    this.#thread = thread;
  }

  /**
   * Returns a message that others answer.
   *
   * @param {number} seq
   * @returns {Message|null|undefined} null if it cannot be read, undefined if it is not loaded
   */
  quoted(seq) {
    return this.#thread.get(seq) ?? this.#quotes.get(seq);
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

  /** Takes over what an event says of a message, if others answer it. @param {Message} message */
  apply(message) {
    return this.#asked.has(message.seq) && this.applyQuote(message.seq, message);
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
}

/** The quotes of all conversations. A thread that is loaded anew begins without. */
export class Quotes {
  #client;
  #store;
  #attempts;
  /** @type {WeakMap<Thread, Quoted>} */
  #threads = new WeakMap();

  /**
   * @param {{messages: Pick<import("./client.js").ChatClient["messages"], "get">}} client
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   */
  constructor(client, store, attempts) {
    this.#client = client;
    this.#store = store;
    this.#attempts = attempts;
  }

  /** What is known around the messages of a conversation. @param {string} id @returns {Quoted} */
  of(id) {
    const { thread } = this.#store.ensure(id);
    const known = this.#threads.get(thread) ?? new Quoted(thread);
    this.#threads.set(thread, known);
    return known;
  }

  /** Handles a message as it stands now. @param {Message} message */
  receive(message) {
    const { conversation_id: id } = message;
    if (this.#store.conversation(id) && this.of(id).apply(message)) this.#store.touch(id);
  }

  /** Loads a message that another one answers; null if it cannot be read. @param {string} id @param {number} seq */
  async load(id, seq) {
    const quoted = this.of(id);
    if (!quoted.asksFor(seq)) return;
    try {
      const answer = await this.#attempts.persist(() => this.#client.messages.get(id, seq));
      if (answer) quoted.applyQuote(seq, answer.message);
    } catch {
      quoted.applyQuote(seq, null);
    }
    this.#store.touch(id);
  }
}
