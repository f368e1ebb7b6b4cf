/** The state of the user's conversations, built from REST pages and stream events. */

import { Emitter } from "./emitter.js";
import { KINDS } from "./kinds.js";
import { Thread } from "./thread.js";

/** @typedef {import("./client.js").Message} Message */

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {"dm"|"group"} type
 * @property {string} [name] a group's
 * @property {string[]} members
 * @property {number} newest_seq
 * @property {Message|null} last_message
 * @property {Thread} thread
 */

/**
 * A conversation in a REST page. Its last message may lack the conversation's id.
 *
 * @typedef {{id: string, newest_seq?: number, last_message?: any} & Record<string, unknown>} Listed
 */

/** @typedef {{type: string, data: any}} Applied a durable event in a journal */

/** Whether a message was deleted or has expired. @param {Message} message */
export function isTombstone(message) {
  return message.deleted === true || typeof message.text !== "string";
}

/**
 * Events: `change`, the conversation's id, or null when any may have changed.
 *
 * @extends {Emitter<{change: string|null}>}
 */
export class Store extends Emitter {
  /** @type {Map<string, Conversation>} */
  #conversations = new Map();
  /** @type {Set<Applied[]>} */
  #journals = new Set();
  #kinds;

  /**
   * @param {string} user the id of the user whose state this is
   * @param {import("./kinds.js").Kinds} kinds
   */
  constructor(user, kinds = KINDS) {
    super();
    this.user = user;
    this.#kinds = kinds;
    /** Whether the first page of conversations is loaded. */
    this.loaded = false;
    /** Why the conversations could not be loaded, or empty. */
    this.error = "";
    /** @type {string|null} where the next page of conversations begins */
    this.next = null;
  }

  /** Conversations, the one with the latest message first. @returns {Conversation[]} */
  get conversations() {
    const recency = (/** @type {Conversation} */ { last_message }) => last_message?.created_at ?? "";
    return [...this.#conversations.values()].sort((a, b) => recency(b).localeCompare(recency(a), "en"));
  }

  /** @param {string} id @returns {Conversation|undefined} */
  conversation(id) {
    return this.#conversations.get(id);
  }

  /**
   * Returns the conversation with this id; an unknown one is added with the data that the id has.
   *
   * @param {string} id
   * @returns {Conversation}
   */
  ensure(id) {
    let conversation = this.#conversations.get(id);
    if (!conversation) {
      const direct = id.startsWith("dm:");
      const members = direct ? [...new Set(id.slice(3).split(":"))] : [];
      const type = direct ? "dm" : "group";
      conversation = { id, type, members, newest_seq: 0, last_message: null, thread: new Thread() };
      this.#conversations.set(id, conversation);
    }
    return conversation;
  }

  /**
   * The other member of a direct conversation; the user for notes; null for a group.
   *
   * @param {Conversation} conversation
   */
  partner({ type, members }) {
    if (type !== "dm") return null;
    return members.find((member) => member !== this.user) ?? this.user;
  }

  /** The title of a conversation. @param {Conversation} conversation */
  title(conversation) {
    return conversation.name || this.partner(conversation) || "Group";
  }

  /** Adds a page of conversations. @param {Listed[]} list @param {string|null} next */
  addConversations(list, next) {
    for (const item of list) this.#merge(item);
    this.next = next;
    this.loaded = true;
    this.#changed(null);
  }

  /**
   * Replaces the conversations by the first page. The journal's events, which arrived while the page was under way, are
   * applied on top.
   *
   * @param {Listed[]} list
   * @param {string|null} next
   * @param {Applied[]} journal
   * @param {(conversation: Conversation) => boolean} keep whether a conversation that the page lacks stays
   */
  replaceConversations(list, next, journal, keep) {
    const before = this.#conversations;
    this.#conversations = new Map();
    for (const item of list) {
      const known = before.get(item.id);
      if (known) this.#conversations.set(item.id, { ...known, newest_seq: 0, last_message: null });
      this.#merge(item);
    }
    for (const [id, conversation] of before) {
      if (!this.#conversations.has(id) && keep(conversation)) this.#conversations.set(id, conversation);
    }
    for (const { type, data } of journal) this.#kinds.get(type)?.apply?.(this, data);
    this.error = "";
    this.next = next;
    this.loaded = true;
    this.#changed(null);
  }

  /** Records why the server refused to list the conversations. @param {string} reason */
  fail(reason) {
    this.error = reason;
    this.loaded = true;
    this.#changed(null);
  }

  /**
   * Applies an event by its kind; one of an unknown kind changes nothing.
   *
   * @param {string} type
   * @param {any} data
   * @returns {boolean} whether that changed anything
   */
  apply(type, data) {
    const kind = this.#kinds.get(type);
    if (kind?.durable) for (const journal of this.#journals) journal.push({ type, data });
    const changed = kind?.apply?.(this, data) ?? false;
    if (changed) this.#changed(data.conversation_id ?? null);
    return changed;
  }

  /**
   * Adds a message, or a newer version of it. For kinds.
   *
   * @param {Message} message
   * @returns {boolean} whether that changed anything
   */
  putMessage(message) {
    return this.#summarise(message).thread.apply(message);
  }

  /**
   * Records every durable event from now on, until `stop()`: they are applied again on top of a page that is under way.
   */
  journal() {
    /** @type {Applied[]} */
    const events = [];
    this.#journals.add(events);
    return { events, stop: () => this.#journals.delete(events) };
  }

  /**
   * Replaces a thread by a newly loaded one.
   *
   * @param {string} id
   * @param {Thread} thread
   * @param {Applied[]} journal
   */
  replaceThread(id, thread, journal) {
    this.ensure(id).thread = thread;
    for (const { type, data } of journal) {
      if (data.conversation_id === id) this.#kinds.get(type)?.apply?.(this, data);
    }
    this.#changed(id);
  }

  /** Removes a conversation's messages; they are loaded again when it is opened. @param {string} id */
  dropThread(id) {
    this.ensure(id).thread = new Thread();
    this.#changed(id);
  }

  /** Must be called after a change to a conversation's thread. @param {string} id */
  touch(id) {
    const conversation = this.ensure(id);
    const newest = conversation.thread.messages.at(-1);
    if (newest) this.#summarise(newest);
    this.#changed(id);
  }

  /** @param {Listed} listed */
  #merge({ last_message, newest_seq, ...rest }) {
    const conversation = Object.assign(this.ensure(rest.id), rest);
    conversation.newest_seq = Math.max(conversation.newest_seq, newest_seq ?? 0);
    if (last_message) this.#summarise({ conversation_id: rest.id, ...last_message });
  }

  /** Updates a conversation's last message and newest seq with a message. @param {Message} message */
  #summarise(message) {
    const conversation = this.ensure(message.conversation_id);
    const last = conversation.last_message;
    conversation.newest_seq = Math.max(conversation.newest_seq, message.seq);
    if (!last || message.seq > last.seq || (message.seq === last.seq && message.version > last.version)) {
      conversation.last_message = message;
    }
    return conversation;
  }

  /** @param {string|null} id */
  #changed(id) {
    this.emit("change", id);
  }
}
