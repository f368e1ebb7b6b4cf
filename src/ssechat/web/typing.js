/** Who is writing, and the telling of it. Nothing of it is stored. */

import { Emitter } from "./emitter.js";

/** Milliseconds after which it is told again, while somebody goes on writing. */
const AGAIN = 10_000;

/** @typedef {{conversation_id: string, user: string, expires_in: number}} Told */

/**
 * Events: `change`, the conversation's id.
 *
 * @extends {Emitter<{change: string}>}
 */
export class Typing extends Emitter {
  #client;
  /** @type {Map<string, Map<string, ReturnType<typeof setTimeout>>>} conversation → user → when to forget */
  #writing = new Map();
  /** @type {Map<string, number>} conversation → when it was told last; Infinity where it is not told */
  #told = new Map();

  /** @param {import("./client.js").ChatClient} client */
  constructor(client) {
    super();
    this.#client = client;
  }

  /** The users who are writing in a conversation. @param {string} id @returns {string[]} */
  who(id) {
    return [...(this.#writing.get(id)?.keys() ?? [])];
  }

  /** Handles the event. @param {Told} told */
  receive({ conversation_id: id, user, expires_in }) {
    const writing = this.#writing.get(id) ?? new Map();
    clearTimeout(writing.get(user));
    const known = writing.has(user);
    writing.set(
      user,
      setTimeout(() => this.forget(id, user), expires_in * 1000),
    );
    this.#writing.set(id, writing);
    if (!known) this.emit("change", id);
  }

  /**
   * Must be called when a user has sent what was being written.
   *
   * @param {string} id
   * @param {string} user
   */
  forget(id, user) {
    const writing = this.#writing.get(id);
    if (!writing?.has(user)) return;
    clearTimeout(writing.get(user));
    writing.delete(user);
    if (writing.size === 0) this.#writing.delete(id);
    this.emit("change", id);
  }

  /** Must be called when the user has changed the text; tells the others, not too often. @param {string} id */
  async write(id) {
    const now = Date.now();
    if (now - (this.#told.get(id) ?? Number.NEGATIVE_INFINITY) < AGAIN) return;
    this.#told.set(id, now);
    try {
      await this.#client.conversations.sayTyping(id);
    } catch (thrown) {
      const { code } = /** @type {import("./http.js").RequestError} */ (thrown);
      if (code === "too_many_members") this.#told.set(id, Number.POSITIVE_INFINITY);
    }
  }

  /** Must be called when the user has sent the text: the next one is told at once. @param {string} id */
  sent(id) {
    if (this.#told.get(id) !== Number.POSITIVE_INFINITY) this.#told.delete(id);
  }

  close() {
    for (const [id, writing] of this.#writing) for (const user of writing.keys()) this.forget(id, user);
  }
}
