/**
 * localStorage that never throws: if it is blocked or full, values stay in memory as long as the page lives.
 */

/** The key of the user whom the cookie signs in, for all tabs of this browser. */
export const SIGNED_IN = "ssechat:user";

class Storage {
  /** @type {Map<string, string>} what could not be stored */
  memory = new Map();

  /** @param {string} key @returns {string|null} */
  get(key) {
    try {
      return this.memory.get(key) ?? localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  /** @param {string} key @param {string} value */
  set(key, value) {
    try {
      localStorage.setItem(key, value);
      this.memory.delete(key);
    } catch {
      this.memory.set(key, value);
    }
  }

  /** @param {string} key */
  remove(key) {
    this.memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // storage is blocked: there is nothing to remove
    }
  }

  /** A value that setJson stored, or null. @param {string} key @returns {any} */
  json(key) {
    try {
      return JSON.parse(this.get(key) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {string} key @param {unknown} value */
  setJson(key, value) {
    this.set(key, JSON.stringify(value));
  }
}

export const storage = new Storage();
