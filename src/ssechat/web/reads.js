/** Tells the server up to where the user has read. */

import { isIn } from "./membership.js";

/** Milliseconds between two requests about one conversation, at least. */
const PAUSE = 1_000;

/** What the user has read and the server may not know yet. */
export class Reads {
  #client;
  #store;
  #attempts;
  /** @type {Map<string, number>} the seq read up to, by conversation */
  #pending = new Map();
  /** @type {Set<string>} conversations about which a request is under way, or was a moment ago */
  #resting = new Set();
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();

  /**
   * @param {import("./rest.js").Rest} client
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   */
  constructor(client, store, attempts) {
    this.#client = client;
    this.#store = store;
    this.#attempts = attempts;
  }

  /** The seq up to which the user has read here, whatever the server knows. @param {string} id */
  pending(id) {
    return this.#pending.get(id) ?? 0;
  }

  /** Marks a conversation as read; tells the server soon. @param {string} id @param {number} seq */
  mark(id, seq) {
    if (seq <= this.pending(id)) return;
    this.#pending.set(id, seq);
    this.#tell(id);
  }

  /** Forgets what the server does not know yet: it has lost history. */
  forget() {
    this.#pending.clear();
  }

  close() {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** @param {string} id */
  async #tell(id) {
    const seq = this.#pending.get(id);
    if (seq === undefined || this.#resting.has(id)) return;
    if (!isIn(this.#store.ensure(id))) {
      this.#pending.delete(id);
      return;
    }
    this.#resting.add(id);
    try {
      const mark = await this.#attempts.persist(() => this.#client.markRead(id, seq));
      if (mark) this.#store.apply("mark", mark);
    } catch {
      // refused: the user is not in the group any more
    }
    if (this.#pending.get(id) === seq) this.#pending.delete(id);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#resting.delete(id);
      this.#tell(id);
    }, PAUSE);
    this.#timers.add(timer);
  }
}
