/** What was written and is not yet known to be sent. Survives a reload; sends in order; tries until it is done. */

import { newMessageId } from "./client.js";
import { backOff } from "./http.js";
import { storage } from "./storage.js";

/**
 * @typedef {object} Entry
 * @property {string} client_msg_id the same on each attempt
 * @property {string} conversation_id
 * @property {string} [to] for a direct message
 * @property {string} text
 * @property {number} order milliseconds since 1970, and later than that of any entry before it
 * @property {"queued"|"failed"} state
 * @property {string} [reason] why the server refused it, or does not take it yet
 */

/** Milliseconds that a tab which is looked at waits in line to send: the one at the head of it may be frozen. */
const IN_LINE = 5_000;

/**
 * Kept in localStorage, one key for each message, so that tabs see each other's. One tab at a time sends in a
 * conversation (Web Locks); where locks are missing, or their holder is frozen, two tabs may send the same, which the
 * server then sees as a repeat.
 *
 * Events: `change` (detail conversation id), `sent` (detail message), `unauthorized`.
 */
export class Outbox extends EventTarget {
  #prefix;
  #send;
  #allowed;
  #entries = new Map();
  #pumping = new Set();
  #sleepers = new Set();
  #open = true;

  /**
   * @param {object} options
   * @param {string} options.user
   * @param {(entry: Entry) => Promise<object>} options.send
   * @param {() => boolean} options.allowed whether this page may still send in that user's name
   */
  constructor({ user, send, allowed = () => true }) {
    super();
    this.#prefix = `ssechat:outbox:${user}:`;
    this.#send = send;
    this.#allowed = allowed;
    for (const key of storage.keys(this.#prefix)) this.#read(key);
    this.listener = (event) => this.#changedElsewhere(event);
    window.addEventListener("storage", this.listener);
  }

  /** Begins to send what was left over. */
  start() {
    for (const id of new Set([...this.#entries.values()].map((entry) => entry.conversation_id))) this.#pump(id);
  }

  /** Stops sending; what is left stays stored. */
  close() {
    this.#open = false;
    window.removeEventListener("storage", this.listener);
    this.wake();
  }

  /** Unsent messages of a conversation, in order. @returns {Entry[]} */
  entries(conversationId) {
    return this.all.filter((entry) => entry.conversation_id === conversationId);
  }

  /** All unsent messages, in order. @returns {Entry[]} */
  get all() {
    return [...this.#entries.values()].sort((a, b) => a.order - b.order);
  }

  /** Takes a message to send. @returns {Entry} */
  add({ conversation_id, to, text }) {
    const last = this.all.at(-1);
    const order = Math.max(Date.now(), last ? last.order + 1 : 0);
    const entry = { client_msg_id: newMessageId(), conversation_id, to, text, order, state: "queued" };
    this.#entries.set(entry.client_msg_id, entry);
    this.#write(entry);
    this.#pump(conversation_id);
    return entry;
  }

  /** Tries a refused message again. */
  retry(clientMessageId) {
    const entry = this.#entries.get(clientMessageId);
    if (!entry) return;
    this.#write({ ...entry, state: "queued", reason: undefined });
    this.wake();
    this.#pump(entry.conversation_id);
  }

  /** Forgets a message: it is known to be sent, or no longer wanted. */
  remove(clientMessageId) {
    const entry = this.#entries.get(clientMessageId);
    if (!entry) return;
    this.#entries.delete(clientMessageId);
    storage.remove(this.#prefix + clientMessageId);
    this.#changed(entry.conversation_id);
  }

  /** Forgets everything. */
  clear() {
    for (const id of [...this.#entries.keys()]) this.remove(id);
  }

  /** There is reason to hope: tries now what waits for its next attempt (not what the server told to wait). */
  wake() {
    for (const wake of [...this.#sleepers]) wake();
  }

  async #pump(conversationId) {
    if (this.#pumping.has(conversationId) || !this.#open || !this.#next(conversationId)) return;
    this.#pumping.add(conversationId);
    let emptied = false;
    try {
      emptied = await this.#inLine(this.#prefix + conversationId, () => this.#drain(conversationId));
    } finally {
      this.#pumping.delete(conversationId);
    }
    if (emptied) this.#pump(conversationId); // something may have been added since the last look
  }

  /** Does something when it is this tab's turn. */
  async #inLine(name, work) {
    if (!navigator.locks) return work();
    const waiting = new AbortController();
    const impatience = setInterval(() => document.hidden || waiting.abort(), IN_LINE);
    let begun = false;
    try {
      return await navigator.locks.request(name, { signal: waiting.signal }, () => {
        begun = true;
        clearInterval(impatience);
        return work();
      });
    } catch (error) {
      if (begun) throw error;
      return work();
    } finally {
      clearInterval(impatience);
    }
  }

  /** @returns {Promise<boolean>} false when it had to stop before all was sent */
  async #drain(conversationId) {
    let failures = 0;
    for (let entry; (entry = this.#next(conversationId)); ) {
      if (!this.#open || !this.#allowed()) return false;
      if (storage.get(this.#prefix + entry.client_msg_id) === null) {
        this.remove(entry.client_msg_id); // another tab has sent it
        continue;
      }
      try {
        const message = await this.#send(entry);
        failures = 0;
        this.remove(entry.client_msg_id);
        this.dispatchEvent(new CustomEvent("sent", { detail: message }));
      } catch (error) {
        if (error.status === 401) {
          this.dispatchEvent(new CustomEvent("unauthorized"));
          return false;
        }
        if (!error.temporary) {
          this.#write({ ...entry, state: "failed", reason: error.message });
          continue;
        }
        // That nobody can be reached is told once, over everything (views/banner.js).
        const reason = error.status === 0 ? undefined : error.message;
        if (reason !== entry.reason) this.#write({ ...entry, reason });
        await this.#sleep(backOff(++failures), error.retryAfter);
      }
    }
    return true;
  }

  #sleep(delay, atLeast) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(delay, atLeast ?? 0));
      if (!atLeast) this.#sleepers.add(wake); // what the server asked for is kept
    });
  }

  #next(conversationId) {
    return this.entries(conversationId).find((entry) => entry.state === "queued");
  }

  #read(key) {
    const entry = storage.json(key);
    if (entry && typeof entry.text === "string" && entry.client_msg_id) this.#entries.set(entry.client_msg_id, entry);
    return entry;
  }

  #write(entry) {
    if (!this.#entries.has(entry.client_msg_id)) return; // sent or discarded meanwhile
    this.#entries.set(entry.client_msg_id, entry);
    storage.setJson(this.#prefix + entry.client_msg_id, entry);
    this.#changed(entry.conversation_id);
  }

  #changedElsewhere({ key, newValue }) {
    if (!key?.startsWith(this.#prefix)) return;
    const id = key.slice(this.#prefix.length);
    const entry = newValue === null ? this.#entries.get(id) : this.#read(key);
    if (newValue === null) this.#entries.delete(id);
    if (!entry) return;
    this.#changed(entry.conversation_id);
    if (newValue !== null) {
      this.wake();
      this.#pump(entry.conversation_id); // should the tab that wrote it close, we are next in line
    }
  }

  #changed(conversationId) {
    this.dispatchEvent(new CustomEvent("change", { detail: conversationId }));
  }
}
