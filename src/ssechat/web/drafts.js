/** Drafts of messages, one a conversation, and which messages they answer, in localStorage. */

import { Emitter } from "./emitter.js";
import { storage } from "./storage.js";

/** Milliseconds without a change until a draft is written: a key that waits for the disk is felt. */
const CALM = 300;

/** Milliseconds after which what has not been written is no longer what the user writes just now: this tab hung. */
const HUNG = 1_000;

/**
 * The tabs of a browser have the same drafts.
 *
 * Events: `change`: another tab has changed the draft of a conversation, with this id, that is not being written here;
 * or null when any may have changed.
 *
 * @extends {Emitter<{change: string|null}>}
 */
export class Drafts extends Emitter {
  #prefix;
  #replies;
  /**
   * What is not written yet, by conversation: over what it is written, and when it was typed.
   *
   * @type {Map<string, {text: string, over: string, at: number}>}
   */
  #unwritten = new Map();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #leaving = new AbortController();

  /** @param {string} user */
  constructor(user) {
    super();
    this.#prefix = `ssechat:draft:${user}:`;
    this.#replies = `ssechat:reply:${user}:`;
    const { signal } = this.#leaving;
    globalThis.window?.addEventListener("pagehide", () => this.#write(), { signal });
    globalThis.document?.addEventListener("visibilitychange", () => this.#write(), { signal }); // a phone's last event
    globalThis.window?.addEventListener("storage", ({ key }) => this.#changedElsewhere(key ?? ""), { signal });
    // In the back/forward cache nothing is heard of other tabs.
    globalThis.window?.addEventListener("pageshow", ({ persisted }) => persisted && this.emit("change", null), {
      signal,
    });
  }

  /** The draft of a message to a conversation, or an empty string. @param {string} id */
  get(id) {
    return this.#unwritten.get(id)?.text ?? this.#written(id);
  }

  /** @param {string} id @param {string} text */
  set(id, text) {
    const { over } = this.#unwritten.get(id) ?? { over: this.#written(id) };
    this.#unwritten.set(id, { text, over, at: performance.now() });
    clearTimeout(this.#timer);
    if (text) this.#timer = setTimeout(() => this.#write(), CALM);
    else this.#write(); // it is sent: it must not come back
  }

  /** The seq of the message that the draft answers, or null. @param {string} id @returns {number|null} */
  replyTo(id) {
    return Number(storage.get(this.#replies + id)) || null;
  }

  /** @param {string} id @param {number|null} seq */
  setReply(id, seq) {
    if (seq === null) storage.remove(this.#replies + id);
    else storage.set(this.#replies + id, String(seq));
  }

  /** Removes all. */
  clear() {
    clearTimeout(this.#timer);
    this.#unwritten.clear();
    for (const prefix of [this.#prefix, this.#replies]) for (const key of keysWith(prefix)) storage.remove(key);
  }

  /** Writes nothing any more: the user may have signed out, in another tab. */
  close() {
    clearTimeout(this.#timer);
    this.#unwritten.clear();
    this.#leaving.abort();
  }

  /** @param {string} id */
  #written(id) {
    return storage.get(this.#prefix + id) ?? "";
  }

  /** @param {string} key */
  #changedElsewhere(key) {
    const prefix = [this.#prefix, this.#replies].find((one) => key.startsWith(one));
    const id = key.slice(prefix?.length);
    const mine = this.#unwritten.get(id);
    if (prefix && !mine) this.emit("change", id);
    else if (mine && performance.now() - mine.at < HUNG) mine.over = this.#written(id);
  }

  #write() {
    clearTimeout(this.#timer);
    const unwritten = [...this.#unwritten];
    this.#unwritten.clear();
    for (const [id, { text, over }] of unwritten) {
      if (!text) storage.remove(this.#prefix + id);
      else if (this.#written(id) === over) storage.set(this.#prefix + id, text);
      else this.emit("change", id); // another tab has gone on with the draft while this one hung
    }
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
