/** What of several tabs is looked at, so that nobody is told what is seen already. */

import { isWatched } from "./dom.js";

/** Holds locks (Web Locks) that say that this tab is watched, and which conversation it shows: so the others know. */
export class Watched {
  #name;
  /** @type {string|null} */
  #shown = null;
  #listeners = new AbortController();
  /** @type {Map<string, () => void>} what gives each lock back, by its name */
  #held = new Map();

  /** @param {string} user the signed-in user's id */
  constructor(user) {
    this.#name = `ssechat:watched:${user}`;
    const { signal } = this.#listeners;
    for (const type of ["focus", "blur"]) window.addEventListener(type, () => this.#update(), { signal });
    document.addEventListener("visibilitychange", () => this.#update(), { signal });
    this.#update();
  }

  close() {
    this.#listeners.abort();
    for (const release of this.#held.values()) release();
  }

  /** Says which conversation this tab shows. @param {string|null} id */
  show(id) {
    this.#shown = id;
    this.#update();
  }

  /** Whether a tab is watched. */
  async any() {
    return isWatched() || (await this.#isHeld(this.#name));
  }

  /** Whether a tab is watched that shows this conversation. @param {string} id */
  async sees(id) {
    return (isWatched() && this.#shown === id) || (await this.#isHeld(`${this.#name}/${id}`));
  }

  #update() {
    const names = isWatched() ? [this.#name, ...(this.#shown === null ? [] : [`${this.#name}/${this.#shown}`])] : [];
    for (const [name, release] of this.#held) {
      if (names.includes(name)) continue;
      release();
      this.#held.delete(name);
    }
    for (const name of names) if (!this.#held.has(name) && navigator.locks) this.#hold(name);
  }

  /** @param {string} name */
  #hold(name) {
    const held = new Promise((resolve) => {
      this.#held.set(name, () => resolve(null));
    });
    navigator.locks.request(name, { mode: "shared" }, () => held);
  }

  /** @param {string} wanted */
  async #isHeld(wanted) {
    const { held = [] } = (await navigator.locks?.query()) ?? {};
    return held.some(({ name }) => name === wanted);
  }
}
