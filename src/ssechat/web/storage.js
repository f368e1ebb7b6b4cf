/** localStorage that never throws: where it is blocked or full, what is written lives as long as the page. */

class Storage {
  #memory = new Map();

  get(key) {
    if (this.#memory.has(key)) return this.#memory.get(key);
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  set(key, value) {
    try {
      localStorage.setItem(key, value);
      this.#memory.delete(key);
    } catch {
      this.#memory.set(key, value);
    }
  }

  remove(key) {
    this.#memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // nothing was there
    }
  }

  /** Every key that begins so. */
  keys(prefix) {
    const keys = new Set(this.#memory.keys());
    try {
      for (let i = 0; i < localStorage.length; i++) keys.add(localStorage.key(i));
    } catch {
      // only what is in memory
    }
    return [...keys].filter((key) => key.startsWith(prefix));
  }

  json(key) {
    try {
      return JSON.parse(this.get(key));
    } catch {
      return null;
    }
  }

  setJson(key, value) {
    this.set(key, JSON.stringify(value));
  }
}

export const storage = new Storage();
