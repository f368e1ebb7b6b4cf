/** How far this browser's user has read in each conversation, kept in localStorage and shared by all tabs. */

import { storage } from "./storage.js";

/** Event: `change`, when another tab has read something. */
export class ReadMarks extends EventTarget {
  #key;
  #sinceKey;
  #marks;
  #since;

  /** @param {string} user */
  constructor(user) {
    super();
    this.#key = `ssechat:read:${user}`;
    this.#sinceKey = `ssechat:since:${user}`;
    this.#marks = storage.json(this.#key) ?? {};
    this.#since = storage.get(this.#sinceKey);
    this.listener = (event) => {
      if (event.key !== this.#key) return;
      this.#merge();
      this.dispatchEvent(new CustomEvent("change"));
    };
    window.addEventListener("storage", this.listener);
  }

  /** The seq up to which a conversation is read. */
  upTo(conversationId) {
    return this.#marks[conversationId] ?? 0;
  }

  /** Marks as read; never goes down. @returns {boolean} whether that changed anything */
  mark(conversationId, seq) {
    if (seq <= this.upTo(conversationId)) return false;
    this.#merge();
    this.#marks[conversationId] = Math.max(seq, this.upTo(conversationId));
    storage.setJson(this.#key, this.#marks);
    return true;
  }

  /** The server's history is shorter than what was read here (it was lost): go back. */
  lower(conversationId, seq) {
    if (this.upTo(conversationId) <= seq) return;
    this.#marks[conversationId] = seq;
    storage.setJson(this.#key, this.#marks);
  }

  /**
   * Takes note of conversations that are not marked yet. On a browser that has never seen this user, what was
   * written before counts as read, but for the last message of somebody else.
   */
  begin(conversations, user) {
    if (this.#since === null) {
      const times = conversations.map(({ last_message }) => last_message?.created_at ?? "");
      this.#since = times.reduce((a, b) => (a > b ? a : b), "");
      storage.set(this.#sinceKey, this.#since);
    }
    for (const { id, newest_seq, last_message } of conversations) {
      if (id in this.#marks || !last_message || last_message.created_at > this.#since) continue;
      this.mark(id, last_message.sender === user ? newest_seq : newest_seq - 1);
    }
  }

  /** Stops listening. */
  close() {
    window.removeEventListener("storage", this.listener);
  }

  #merge() {
    for (const [id, seq] of Object.entries(storage.json(this.#key) ?? {})) {
      this.#marks[id] = Math.max(seq, this.#marks[id] ?? 0);
    }
  }
}
