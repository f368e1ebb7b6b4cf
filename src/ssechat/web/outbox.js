/**
 * Messages that are not yet known to be sent. They survive a reload, and are retried in order until they are sent.
 */

import { Emitter } from "./emitter.js";
import { backOff, requestError } from "./http.js";
import { newMessageId } from "./ids.js";
import { storage } from "./storage.js";
import { Waits } from "./waits.js";

/** @typedef {import("./client.js").Message} Message */

/**
 * @typedef {object} Entry
 * @property {string} client_msg_id the same on each attempt
 * @property {string} conversation_id
 * @property {string|undefined} [to] the user, for a direct message
 * @property {string} text
 * @property {number|undefined} [reply_to] the seq of the message that it answers
 * @property {string[]|undefined} [mentions]
 * @property {number} order milliseconds since 1970, and later than that of any entry before it
 * @property {"queued"|"failed"} state
 * @property {string|undefined} [reason] why the server refused it, or does not accept it yet
 */

/** Milliseconds that a visible tab waits for the lock to send: its holder may be frozen. */
const PATIENCE = 5_000;

/**
 * Stored in localStorage, one key per message, so that tabs see each other's messages. One tab at a time sends in a
 * conversation (Web Locks). Without locks, or if their holder is frozen, two tabs may send the same message: sends are
 * idempotent.
 *
 * Events: `change`, the conversation's id; `sent`; `unauthorized`.
 *
 * @extends {Emitter<{change: string, sent: Message, unauthorized: null}>}
 */
export class Outbox extends Emitter {
  #prefix;
  #send;
  #allowed;
  /** @type {Map<string, Entry>} by client_msg_id */
  #entries = new Map();
  /** @type {Set<string>} conversations in which this tab sends, or waits to */
  #pumping = new Set();
  #waits = new Waits();
  #open = true;

  /**
   * @param {object} options
   * @param {string} options.user
   * @param {(entry: Entry) => Promise<Message>} options.send
   * @param {() => boolean} [options.allowed] whether this page may still send in that user's name
   */
  constructor({ user, send, allowed = () => true }) {
    super();
    this.#prefix = `ssechat:outbox:${user}:`;
    this.#send = send;
    this.#allowed = allowed;
    for (const key of storage.keys(this.#prefix)) this.#read(key);
    this.listener = (/** @type {StorageEvent} */ event) => this.#changedElsewhere(event);
    window.addEventListener("storage", this.listener);
  }

  /** Begins to send the messages that earlier pages left unsent. */
  start() {
    for (const id of new Set([...this.#entries.values()].map((entry) => entry.conversation_id))) this.#pump(id);
  }

  /** Stops sending; unsent messages stay stored. */
  close() {
    this.#open = false;
    window.removeEventListener("storage", this.listener);
    this.wake();
  }

  /** Unsent messages of a conversation, in order. @param {string} conversationId @returns {Entry[]} */
  entries(conversationId) {
    return this.all.filter((entry) => entry.conversation_id === conversationId);
  }

  /** All unsent messages, in order. @returns {Entry[]} */
  get all() {
    return [...this.#entries.values()].sort((a, b) => a.order - b.order);
  }

  /**
   * Adds a message to send.
   *
   * @param {Pick<Entry, "conversation_id"|"to"|"text"|"reply_to"|"mentions">} message
   * @returns {Entry}
   */
  add(message) {
    const last = this.all.at(-1);
    const order = Math.max(Date.now(), last ? last.order + 1 : 0);
    /** @type {Entry} */
    const entry = { client_msg_id: newMessageId(), ...message, order, state: "queued" };
    this.#entries.set(entry.client_msg_id, entry);
    this.#write(entry);
    this.#pump(entry.conversation_id);
    return entry;
  }

  /** Tries a refused message again. @param {string} clientMessageId */
  retry(clientMessageId) {
    const entry = this.#entries.get(clientMessageId);
    if (!entry) return;
    this.#write({ ...entry, state: "queued", reason: undefined });
    this.wake();
    this.#pump(entry.conversation_id);
  }

  /** Removes a message: it is known to be sent, or no longer wanted. @param {string} clientMessageId */
  remove(clientMessageId) {
    const entry = this.#entries.get(clientMessageId);
    if (!entry) return;
    this.#entries.delete(clientMessageId);
    storage.remove(this.#prefix + clientMessageId);
    this.#changed(entry.conversation_id);
  }

  /** Removes every message. */
  clear() {
    for (const id of [...this.#entries.keys()]) this.remove(id);
  }

  /** Ends the waits for a next attempt, except those that the server asked for. */
  wake() {
    this.#waits.wake();
  }

  /** @param {string} conversationId */
  async #pump(conversationId) {
    if (this.#pumping.has(conversationId) || !this.#open || !this.#next(conversationId)) return;
    this.#pumping.add(conversationId);
    let emptied = false;
    try {
      emptied = await this.#locked(this.#prefix + conversationId, () => this.#drain(conversationId));
    } finally {
      this.#pumping.delete(conversationId);
    }
    if (emptied) this.#pump(conversationId); // a message may have been added since the last check
  }

  /**
   * Does the work under a lock, or without it if the lock's holder seems frozen.
   *
   * @param {string} name
   * @param {() => Promise<boolean>} work
   * @returns {Promise<boolean>}
   */
  async #locked(name, work) {
    if (!navigator.locks) return work();
    const waiting = new AbortController();
    const impatience = setInterval(() => document.hidden || waiting.abort(), PATIENCE);
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

  /** @param {string} conversationId @returns {Promise<boolean>} whether all was sent or refused */
  async #drain(conversationId) {
    let failures = 0;
    for (let entry = this.#next(conversationId); entry; entry = this.#next(conversationId)) {
      if (!this.#open || !this.#allowed()) return false;
      if (storage.get(this.#prefix + entry.client_msg_id) === null) {
        this.remove(entry.client_msg_id); // another tab has sent it
        continue;
      }
      try {
        const message = await this.#send(entry);
        failures = 0;
        this.remove(entry.client_msg_id);
        this.emit("sent", message);
      } catch (thrown) {
        const error = requestError(thrown);
        if (error.status === 401) {
          this.emit("unauthorized", null);
          return false;
        }
        if (!error.temporary) {
          this.#write({ ...entry, state: "failed", reason: error.message });
          continue;
        }
        // The banner shows that the server can't be reached.
        const reason = error.status === 0 ? undefined : error.message;
        if (reason !== entry.reason) this.#write({ ...entry, reason });
        await this.#waits.sleep(backOff(++failures), error.retryAfter);
      }
    }
    return true;
  }

  /** @param {string} conversationId */
  #next(conversationId) {
    return this.entries(conversationId).find((entry) => entry.state === "queued");
  }

  /** @param {string} key */
  #read(key) {
    /** @type {Entry|null} */
    const entry = storage.json(key);
    if (entry && typeof entry.text === "string" && entry.client_msg_id) this.#entries.set(entry.client_msg_id, entry);
    return entry;
  }

  /** @param {Entry} entry */
  #write(entry) {
    if (!this.#entries.has(entry.client_msg_id)) return; // sent or removed meanwhile
    this.#entries.set(entry.client_msg_id, entry);
    storage.setJson(this.#prefix + entry.client_msg_id, entry);
    this.#changed(entry.conversation_id);
  }

  /** Applies a change that another tab made to the storage. @param {StorageEvent} event */
  #changedElsewhere({ key, newValue }) {
    if (!key?.startsWith(this.#prefix)) return;
    const id = key.slice(this.#prefix.length);
    const entry = newValue === null ? this.#entries.get(id) : this.#read(key);
    if (newValue === null) this.#entries.delete(id);
    if (!entry) return;
    this.#changed(entry.conversation_id);
    if (newValue !== null) {
      this.wake();
      this.#pump(entry.conversation_id); // if the tab that wrote it closes, this one sends it
    }
  }

  /** @param {string} conversationId */
  #changed(conversationId) {
    this.emit("change", conversationId);
  }
}
