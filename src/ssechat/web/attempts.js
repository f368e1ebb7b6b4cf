/** Requests that are repeated until they are answered. */

import { Emitter } from "./emitter.js";
import { backOff, requestError } from "./http.js";
import { Waits } from "./waits.js";

/**
 * Event: `unauthorized`.
 *
 * @extends {Emitter<{unauthorized: null}>}
 */
export class Attempts extends Emitter {
  #waits = new Waits();
  /** Whether answers are still needed. */
  open = true;

  close() {
    this.open = false;
    this.wake();
  }

  /** Waits, or until an attempt may succeed now. @param {number} milliseconds */
  rest(milliseconds) {
    return this.#waits.sleep(milliseconds, null);
  }

  /** Ends the waits for a next attempt, except those that the server asked for. */
  wake() {
    this.#waits.wake();
  }

  /**
   * Repeats a request until it is answered.
   *
   * @template Answer
   * @param {() => Promise<Answer>} request
   * @returns {Promise<Answer|null>} null if the answer is no longer needed
   * @throws {RequestError} if the server refuses it
   */
  async persist(request) {
    for (let failures = 0; this.open; ) {
      try {
        const answer = await request();
        return this.open ? answer : null;
      } catch (thrown) {
        const error = requestError(thrown);
        if (!this.open) return null;
        if (error.status === 401) {
          this.emit("unauthorized", null);
          return null;
        }
        if (!error.temporary) throw error;
        await this.#waits.sleep(backOff(++failures), error.retryAfter);
      }
    }
    return null;
  }
}
