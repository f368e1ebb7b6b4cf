/** Tells the server up to where the user has read. */

import { isIn } from "./membership.js";
import { storage } from "./storage.js";

/** Milliseconds between two requests about one conversation, at least. */
const PAUSE = 1_000;

/** What the user has read and the server may not know yet; a reload keeps it. */
export class Reads {
  #client;
  #store;
  #attempts;
  #key;
  /** @type {Map<string, number>} the seq read up to, by conversation */
  #pending;
  /** @type {Set<string>} conversations about which a request is under way, or was a moment ago */
  #resting = new Set();

  /**
   * @param {import("./client.js").ChatClient} client
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   */
  constructor(client, store, attempts) {
    this.#client = client;
    this.#store = store;
    this.#attempts = attempts;
    this.#key = `ssechat:reading:${store.user}`;
    this.#pending = new Map(Object.entries(storage.json(this.#key) ?? {}));
  }

  /** Tells the server what an earlier page had no time to tell. */
  start() {
    for (const id of this.#pending.keys()) this.#send(id);
  }

  /** The seq up to which the user has read here, whatever the server knows. @param {string} id */
  pending(id) {
    return this.#pending.get(id) ?? 0;
  }

  /** Marks a conversation as read; tells the server soon. @param {string} id @param {number} seq */
  mark(id, seq) {
    if (seq <= this.pending(id)) return;
    this.#pending.set(id, seq);
    this.#keep(id, seq);
    this.#send(id);
  }

  /** Forgets what the server does not know yet: it has lost history. */
  forget() {
    this.#pending.clear();
    storage.remove(this.#key);
  }

  /**
   * Keeps that the user has read up to `seq`, until the server knows it. What other tabs keep stays.
   *
   * @param {string} id
   * @param {number} seq
   */
  #keep(id, seq, { told = false } = {}) {
    const kept = storage.json(this.#key) ?? {};
    if (seq < (kept[id] ?? 0)) return;
    if (told) delete kept[id];
    else kept[id] = seq;
    if (Object.keys(kept).length) storage.setJson(this.#key, kept);
    else storage.remove(this.#key);
  }

  /** @param {string} id */
  async #send(id) {
    const seq = this.#pending.get(id);
    if (seq === undefined || this.#resting.has(id)) return;
    this.#resting.add(id);
    try {
      if (isIn(this.#store.ensure(id))) {
        const mark = await this.#attempts.persist(() => this.#client.conversations.markRead(id, seq));
        if (!mark) return; // there was no answer before the end: the next page tells it
        this.#store.apply("mark", mark);
      }
    } catch {
      // refused: the user is not in the group any more
    }
    if (this.#pending.get(id) === seq) {
      this.#pending.delete(id);
      this.#keep(id, seq, { told: true });
    }
    await this.#attempts.rest(PAUSE);
    this.#resting.delete(id);
    this.#send(id);
  }
}
