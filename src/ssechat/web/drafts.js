/** Drafts of messages, one a conversation, in localStorage. */

import { storage } from "./storage.js";

export class Drafts {
  #prefix;

  /** @param {string} user */
  constructor(user) {
    this.#prefix = `ssechat:draft:${user}:`;
  }

  /** The draft of a message to a conversation, or an empty string. @param {string} id */
  get(id) {
    return storage.get(this.#prefix + id) ?? "";
  }

  /** @param {string} id @param {string} text */
  set(id, text) {
    if (text) storage.set(this.#prefix + id, text);
    else storage.remove(this.#prefix + id);
  }

  /** Removes all. */
  clear() {
    for (const key of keysWith(this.#prefix)) storage.remove(key);
  }
}

/** Every key with this prefix. @param {string} prefix @returns {string[]} */
function keysWith(prefix) {
  const keys = new Set(storage.memory.keys());
  try {
    for (let i = 0; i < localStorage.length; i++) keys.add(localStorage.key(i) ?? "");
  } catch {
    // storage is blocked: only the keys in memory
  }
  return [...keys].filter((key) => key.startsWith(prefix));
}
