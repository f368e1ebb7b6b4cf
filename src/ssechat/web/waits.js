/** Waits before a next attempt. They end early if an attempt may succeed now. */

export class Waits {
  /** @type {Set<() => void>} */
  #wakers = new Set();

  /**
   * Waits.
   *
   * @param {number} delay milliseconds
   * @param {number|null} atLeast milliseconds that the server asked for (`Retry-After`): such a wait does not end early
   * @returns {Promise<void>}
   */
  sleep(delay, atLeast) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(delay, atLeast ?? 0));
      if (!atLeast) this.#wakers.add(wake);
    });
  }

  /** Ends the waits, except those that the server asked for. */
  wake() {
    for (const wake of [...this.#wakers]) wake();
  }
}
