/** The seq up to which the user has read each conversation, in localStorage and shared by all tabs. */

import { Emitter } from "./emitter.js";
import { storage } from "./storage.js";

/**
 * Event: `change`, when another tab has marked a conversation as read.
 *
 * @extends {Emitter<{change: null}>}
 */
export class ReadMarks extends Emitter {
  #key;
  #sinceKey;
  /** @type {Record<string, number>} the seq read up to, by conversation */
  #marks;
  /** @type {string|null} when this browser first saw the user: the newest message of then, or null */
  #since;
  /** @type {Set<string>} groups that the user joined, and of which no message has come since */
  #joined = new Set();

  /** @param {string} user */
  constructor(user) {
    super();
    this.#key = `ssechat:read:${user}`;
    this.#sinceKey = `ssechat:since:${user}`;
    this.#marks = storage.json(this.#key) ?? {};
    this.#since = storage.get(this.#sinceKey);
    this.listener = (/** @type {StorageEvent} */ event) => {
      if (event.key !== this.#key) return;
      this.#merge();
      this.emit("change", null);
    };
    window.addEventListener("storage", this.listener);
  }

  /** The seq up to which a conversation is read. @param {string} conversationId */
  upTo(conversationId) {
    return this.#marks[conversationId] ?? 0;
  }

  /**
   * Marks a conversation as read; a mark never decreases.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @returns {boolean} whether that changed anything
   */
  mark(conversationId, seq) {
    if (seq <= this.upTo(conversationId)) return false;
    this.#merge();
    this.#marks[conversationId] = Math.max(seq, this.upTo(conversationId));
    storage.setJson(this.#key, this.#marks);
    return true;
  }

  /** What was written before the user joined a group does not count as unread. @param {string} conversationId */
  joined(conversationId) {
    this.#joined.add(conversationId);
  }

  /** Whether nothing counts as unread, as the user has just joined. @param {string} conversationId */
  isNew(conversationId) {
    return this.#joined.has(conversationId);
  }

  /**
   * Marks what was written before the first message after joining, if this is it.
   *
   * @param {string} conversationId
   * @param {number} seq
   */
  arrived(conversationId, seq) {
    if (this.#joined.delete(conversationId)) this.mark(conversationId, seq - 1);
  }

  /**
   * Lowers a mark after the server lost history.
   *
   * @param {string} conversationId
   * @param {number} seq
   */
  lower(conversationId, seq) {
    if (this.upTo(conversationId) <= seq) return;
    this.#marks[conversationId] = seq;
    storage.setJson(this.#key, this.#marks);
  }

  /**
   * Marks conversations that have no mark yet. In a browser that is new to this user, older messages count as read,
   * except the last one if another user wrote it.
   *
   * @param {import("./store.js").Conversation[]} conversations
   * @param {string} user
   */
  begin(conversations, user) {
    if (this.#since === null) {
      const times = conversations.map(({ last_message }) => last_message?.created_at ?? "");
      this.#since = times.sort().at(-1) ?? "";
      storage.set(this.#sinceKey, this.#since);
    }
    const since = this.#since;
    for (const { id, newest_seq, last_message } of conversations) {
      if (id in this.#marks || !last_message || last_message.created_at > since) continue;
      this.mark(id, last_message.sender === user ? newest_seq : newest_seq - 1);
    }
  }

  /** Stops listening. */
  close() {
    window.removeEventListener("storage", this.listener);
  }

  #merge() {
    /** @type {Record<string, number>} */
    const stored = storage.json(this.#key) ?? {};
    for (const [id, seq] of Object.entries(stored)) {
      this.#marks[id] = Math.max(seq, this.#marks[id] ?? 0);
    }
  }
}
