/** The state of the user's conversations, built from REST pages and stream events. */

import { later, newConversation, timeOf } from "./conversation.js";
import { Emitter } from "./emitter.js";
import { KINDS } from "./kinds.js";
import { applyMark, raiseMark } from "./marks.js";
import { applyMember } from "./membership.js";
import { Thread } from "./thread.js";

/** @typedef {import("./client.js").Message} Message */

/** @typedef {import("./blocks.js").Block} Block */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./marks.js").Mark} Mark */
/** @typedef {Message & {mark?: Mark}} Told a message as an event, or as an answer, which has no mark */

/**
 * A conversation in a REST page. Its last message may lack the conversation's id.
 *
 * @typedef {{id: string, newest_seq?: number, last_message?: any} & Record<string, unknown>} Listed
 */

/** What a page may leave out of a conversation: then it is not so. */
const OPTIONAL = /** @type {const} */ ([
  "name",
  "topic",
  "history",
  "role",
  "member_count",
  "ended",
  "blocked",
  "left",
  "unavailable",
  "refusal",
]);

/** @typedef {{type: string, data: any}} Applied a durable event in a journal */

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
  /** Whether the first page of conversations is loaded. */
  loaded = false;
  /** Why the conversations could not be loaded, or empty. */
  error = "";
  /** The server's name for that. @type {string|undefined} */
  refusal;
  /** @type {string|null} where the next page of conversations begins */
  next = null;

  /**
   * @param {string} user the id of the user whose state this is
   * @param {import("./kinds.js").Kinds} kinds
   */
  constructor(user, kinds = KINDS) {
    super();
    this.user = user;
    this.#kinds = kinds;
  }

  /** Conversations, the one with the latest message first. @returns {Conversation[]} */
  get conversations() {
    return [...this.#conversations.values()].sort((a, b) => later(timeOf(a), timeOf(b)));
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
      conversation = newConversation(id);
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

  /** The other person of a direct conversation; null for a group, and for notes. @param {Conversation} conversation */
  other(conversation) {
    const partner = this.partner(conversation);
    return partner === this.user ? null : partner;
  }

  /** The title of a conversation. @param {Conversation} conversation */
  title(conversation) {
    return conversation.name || this.partner(conversation) || "Group";
  }

  /**
   * Adds a page of conversations.
   *
   * @param {Listed[]} list
   * @param {string|null} next
   * @param {Applied[]} [journal] the events that arrived while the page was under way
   */
  addConversations(list, next, journal = []) {
    for (const item of list) {
      this.#merge(item);
      this.replay(item.id, journal);
    }
    this.#dateEmpty(list);
    this.next = next;
    this.loaded = true;
    this.emit("change", null);
  }

  /**
   * Replaces the conversations by the first page. The journal's events, which arrived while the page was under way, are
   * applied on top.
   *
   * @param {Listed[]} list
   * @param {string|null} next
   * @param {Applied[]} journal
   * @param {(conversation: Conversation) => boolean} keep whether a conversation that the page lacks stays
   * @returns {string[]} those that stay: what has become of them must be asked
   */
  replaceConversations(list, next, journal, keep) {
    const before = this.#conversations;
    const kept = [];
    this.#conversations = new Map();
    for (const item of list) this.#renew(item, before.get(item.id));
    this.#dateEmpty(list);
    for (const [id, conversation] of before) {
      if (this.#conversations.has(id) || !keep(conversation)) continue;
      this.#conversations.set(id, conversation);
      if (conversation.type === "group" || conversation.read_up_to !== null) kept.push(id);
    }
    this.replay(null, journal);
    this.error = "";
    this.next = next;
    this.loaded = true;
    this.emit("change", null);
    return kept;
  }

  /**
   * Replaces what is known of one conversation, but for its messages.
   *
   * @param {Listed} listed
   * @param {Applied[]} journal the events that arrived meanwhile
   */
  replaceConversation(listed, journal) {
    this.#renew(listed, this.#conversations.get(listed.id));
    const conversation = this.ensure(listed.id);
    if (conversation.type === "group") conversation.activity ??= new Date().toISOString();
    this.replay(listed.id, journal);
    this.emit("change", listed.id);
  }

  /**
   * Records why the server does not show a conversation.
   *
   * @param {string} id
   * @param {string} reason
   * @param {string} [code] the server's name for that
   */
  refuse(id, reason, code) {
    const conversation = this.ensure(id);
    conversation.unavailable = reason;
    if (code) conversation.refusal = code;
    this.emit("change", id);
  }

  /** Records why the server refused to list the conversations. @param {string} reason @param {string} [code] */
  fail(reason, code) {
    this.error = reason;
    this.refusal = code;
    this.loaded = true;
    this.emit("change", null);
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
    if (changed) this.emit("change", data.conversation_id ?? null);
    return changed;
  }

  /**
   * Adds a message, or a newer version of it. For kinds.
   *
   * @param {Told} told
   * @returns {boolean} whether that changed anything
   */
  putMessage({ mark, ...message }) {
    const conversation = this.#summarise(message);
    const marked = mark
      ? applyMark(conversation, mark)
      : message.sender === this.user && raiseMark(conversation, message.seq);
    return conversation.thread.apply(message) || marked;
  }

  /**
   * Changes a message; in a conversation that is not known, nothing. For kinds.
   *
   * @param {Told} message
   * @returns {boolean} whether that changed anything
   */
  changeMessage(message) {
    return this.#conversations.has(message.conversation_id) && this.putMessage(message);
  }

  /**
   * Applies an event `member`. For kinds. One about others in a group that is not known changes nothing.
   *
   * @param {import("./membership.js").MemberEvent} event
   */
  applyMember(event) {
    const { conversation_id: id, users, left } = event;
    const known = this.#conversations.has(id);
    if (!known && (left || !users.some(({ user }) => user === this.user))) return false;
    const conversation = this.ensure(id);
    if (!known) conversation.activity = new Date().toISOString();
    applyMember(conversation, event, this.user);
    return true;
  }

  /**
   * Applies an event about a conversation; of one that is not known it changes nothing. For kinds.
   *
   * @template {{conversation_id: string}} Data
   * @param {Data} data
   * @param {(conversation: Conversation, data: Data) => boolean} apply says whether that changed anything
   */
  applyTo(data, apply) {
    const conversation = this.#conversations.get(data.conversation_id);
    return conversation !== undefined && apply(conversation, data);
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
    this.replay(id, journal);
    this.emit("change", id);
  }

  /**
   * Applies the events of one conversation in a journal, or of all.
   *
   * @param {string|null} id
   * @param {Applied[]} journal
   */
  replay(id, journal) {
    for (const { type, data } of journal) {
      if (id === null || data.conversation_id === id) this.#kinds.get(type)?.apply?.(this, data);
    }
  }

  /** Removes a conversation's messages; they are loaded again when it is opened. @param {string} id */
  dropThread(id) {
    this.ensure(id).thread = new Thread();
    this.emit("change", id);
  }

  /** Must be called after a change to a conversation's thread. @param {string} id */
  touch(id) {
    const conversation = this.ensure(id);
    const newest = conversation.thread.messages.at(-1);
    if (newest) this.#summarise(newest);
    this.emit("change", id);
  }

  /**
   * Takes over a conversation from a page, whatever is known of it.
   *
   * @param {Listed} listed
   * @param {Conversation} [known]
   */
  #renew(listed, known) {
    if (known) this.#conversations.set(listed.id, { ...known, newest_seq: 0, last_message: null });
    this.#merge(listed);
  }

  /** @param {Listed} listed */
  #merge({ last_message, newest_seq, unread, receipts, ...rest }) {
    const conversation = this.ensure(rest.id);
    const { left } = conversation;
    for (const field of OPTIONAL) delete conversation[field];
    Object.assign(conversation, rest);
    if (rest.left) conversation.left = left ?? "gone";
    if (conversation.roster) conversation.roster.stale = true;
    conversation.newest_seq = Math.max(conversation.newest_seq, newest_seq ?? 0);
    if (last_message) this.#summarise({ conversation_id: rest.id, ...last_message });
  }

  /**
   * Dates listed conversations without a message by what follows them in the list, whose order is by the newest event.
   *
   * @param {Listed[]} list
   */
  #dateEmpty(list) {
    let time = "";
    for (const { id } of list.toReversed()) {
      const conversation = this.ensure(id);
      if (!conversation.last_message) conversation.activity ??= time;
      if (timeOf(conversation) > time) time = timeOf(conversation);
    }
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
}
