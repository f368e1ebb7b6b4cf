/** What lasts as long as the tab, over reloads; where sessionStorage is blocked or full, as long as the page. */

class TabValue {
  #key;
  /** @type {string|null} */
  #unstored = null;

  /** @param {string} key */
  constructor(key) {
    this.#key = key;
  }

  /** @returns {string|null} */
  get() {
    try {
      return sessionStorage.getItem(this.#key) ?? this.#unstored;
    } catch {
      return this.#unstored;
    }
  }

  /** @param {string|null} value */
  set(value) {
    this.#unstored = null;
    try {
      if (value === null) sessionStorage.removeItem(this.#key);
      else sessionStorage.setItem(this.#key, value);
    } catch {
      this.#unstored = value; // it is blocked, or full
    }
  }
}

/** A bearer token that somebody has pasted. */
export const tabToken = new TabValue("ssechat:token");

/** The secret of an invitation that the user has not yet answered. */
export const invitation = new TabValue("ssechat:invitation");

/** The name of the watch list of a page that is being reloaded. */
export const watchListName = new TabValue("ssechat:device");
