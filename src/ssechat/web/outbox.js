/**
 * Messages that are not yet known to be sent. They survive a reload, and are retried in order until they are sent.
 */

import { Emitter } from "./emitter.js";
import { backOff, requestError } from "./http.js";
import { newMessageId } from "./ids.js";
import { hasTabs, isHidden, locks } from "./platform.js";
import { Records } from "./records.js";
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
 * @property {object|undefined} [data] the application's own
 * @property {number} order milliseconds since 1970, and later than that of any entry before it
 * @property {"queued"|"failed"} state
 * @property {string|undefined} [reason] why the server refused it, or does not accept it yet
 * @property {string|undefined} [code] the server's name for that
 */

/**
 * What other tabs are told: how an entry is now, or null if it is gone.
 *
 * @typedef {{id: string, entry: Entry|null}} Told
 */

/** What is said of a message while there is no answer. @type {{message?: string, code?: string}} */
const NO_REASON = {};

/** Milliseconds that a visible tab waits for the lock to send, or for the tab that wrote: that may be frozen. */
const PATIENCE = 5_000;

/**
 * Stored in IndexedDB, and told to the other tabs (BroadcastChannel). One tab at a time sends in a conversation (Web
 * Locks). Without locks that is the tab that wrote the message, and visible ones if it does not in time. So then, or if
 * a lock's holder is frozen, two tabs may send the same message: sends are idempotent.
 *
 * Events: `change`, the conversation's id; `sent`; `unauthorized`.
 *
 * @extends {Emitter<{change: string, sent: Message, unauthorized: null}>}
 */
export class Outbox extends Emitter {
  #scope;
  #records;
  /** @type {BroadcastChannel|null} */
  #channel = null;
  /** @type {Set<string>} messages that are in this page only: they are not written, or not yet */
  #unwritten = new Set();
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
   * @param {string} [options.base] the server's URL, empty for the page's own
   * @param {(entry: Entry) => Promise<Message>} options.send
   * @param {() => boolean} [options.allowed] whether this page may still send in that user's name
   */
  constructor({ user, base = "", send, allowed = () => true }) {
    super();
    this.#scope = `ssechat:outbox:${base}:${user}`;
    this.#records = new Records(this.#scope);
    this.#send = send;
    this.#allowed = allowed;
    if (hasTabs()) {
      this.#channel = new BroadcastChannel(this.#scope);
      this.#channel.onmessage = ({ data }) => this.#changedElsewhere(data);
    }
    /** Settles when the messages that earlier pages left unsent are loaded. */
    this.loaded = this.#load();
  }

  /** Sends now what waits, and what other pages left unsent. */
  async start() {
    await this.loaded;
    this.wake();
    for (const id of new Set([...this.#entries.values()].map((entry) => entry.conversation_id))) this.#pump(id);
  }

  /** Stops sending; unsent messages stay stored. */
  close() {
    this.#open = false;
    this.#channel?.close();
    this.#channel = null;
    this.wake();
  }

  /** Unsent messages of a conversation, in order. @param {string} conversationId @returns {Entry[]} */
  entries(conversationId) {
    return this.all.filter((entry) => entry.conversation_id === conversationId);
  }

  /** An unsent message. @param {string} clientMessageId */
  entry(clientMessageId) {
    return this.#entries.get(clientMessageId);
  }

  /** All unsent messages, in order. @returns {Entry[]} */
  get all() {
    return [...this.#entries.values()].sort((a, b) => a.order - b.order);
  }

  /**
   * Adds a message to send.
   *
   * @param {Pick<Entry, "conversation_id"|"to"|"text"|"reply_to"|"mentions"|"data"> & {client_msg_id?: string}} message
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
    this.#write({ ...entry, state: "queued", reason: undefined, code: undefined });
    this.wake();
    this.#pump(entry.conversation_id);
  }

  /** Removes a message: it is known to be sent, or no longer wanted. @param {string} clientMessageId */
  remove(clientMessageId) {
    const entry = this.#entries.get(clientMessageId);
    if (!entry) return;
    this.#entries.delete(clientMessageId);
    this.#unwritten.delete(clientMessageId);
    this.#records.remove(clientMessageId).then(() => this.#broadcast(clientMessageId, null));
    this.emit("change", entry.conversation_id);
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
      emptied = await this.#locked(`${this.#scope}:${conversationId}`, () => this.#drain(conversationId));
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
    const manager = locks();
    if (!manager) return work();
    const waiting = new AbortController();
    const impatience = setInterval(() => isHidden() || waiting.abort(), PATIENCE);
    let begun = false;
    try {
      return await manager.request(name, { signal: waiting.signal }, () => {
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
      const wanted = await this.#isWanted(entry.client_msg_id);
      // That took a moment, in which somebody else may have signed in. Nothing may come between this and the request.
      if (!this.#open || !this.#allowed()) return false;
      if (!wanted) continue;
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
          this.#write({ ...entry, state: "failed", reason: error.message, code: error.code });
          continue;
        }
        // The banner shows that the server can't be reached.
        const { message: reason, code } = error.status === 0 ? NO_REASON : error;
        if (reason !== entry.reason) this.#write({ ...entry, reason, code });
        await this.#waits.sleep(backOff(++failures), error.retryAfter);
      }
    }
    return true;
  }

  /** Whether a message is still to be sent. @param {string} id */
  async #isWanted(id) {
    const kept = await this.#records.has(id);
    if (kept === false && !this.#unwritten.has(id)) this.remove(id); // another tab has sent it
    return this.#entries.has(id);
  }

  /** @param {string} conversationId */
  #next(conversationId) {
    return this.entries(conversationId).find((entry) => entry.state === "queued");
  }

  /** Loads what earlier pages left unsent. */
  async #load() {
    for (const { scope, ...entry } of await this.#records.all()) {
      if (!isEntry(entry) || this.#entries.has(entry.client_msg_id)) continue;
      this.#entries.set(entry.client_msg_id, entry);
      this.emit("change", entry.conversation_id);
    }
  }

  /** @param {Entry} entry */
  #write(entry) {
    const id = entry.client_msg_id;
    if (!this.#entries.has(id)) return; // sent or removed meanwhile
    this.#entries.set(id, entry);
    this.#keep(entry);
    this.emit("change", entry.conversation_id);
  }

  /** Writes a message, and broadcasts it to the other tabs. @param {Entry} entry */
  async #keep(entry) {
    const id = entry.client_msg_id;
    this.#unwritten.add(id);
    if (!(await this.#records.put(entry))) return;
    this.#unwritten.delete(id);
    if (this.#entries.has(id)) this.#broadcast(id, entry);
  }

  /** @param {string} id @param {Entry|null} entry */
  #broadcast(id, entry) {
    this.#channel?.postMessage({ id, entry });
  }

  /** Applies a change that another tab made. @param {Told} told */
  #changedElsewhere({ id, entry }) {
    const known = this.#entries.get(id);
    if (entry) this.#entries.set(id, entry);
    else this.#entries.delete(id);
    const conversation = (entry ?? known)?.conversation_id;
    if (conversation === undefined) return;
    this.emit("change", conversation);
    if (!entry) return;
    this.wake();
    // If the tab that wrote it closes, this one sends it.
    if (locks()) this.#pump(conversation);
    else setTimeout(() => isHidden() || this.#pump(conversation), PATIENCE);
  }
}

/** @param {any} entry @returns {entry is Entry} */
function isEntry(entry) {
  return typeof entry.text === "string" && typeof entry.client_msg_id === "string";
}
