/** What is known of the user's conversations: one state, made from REST pages and stream events alike. */

import { Thread } from "./thread.js";

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {"dm"|"group"} type
 * @property {string} [name] a group's
 * @property {string[]} members
 * @property {number} newest_seq
 * @property {import("./client.js").Message|null} last_message
 * @property {Thread} thread
 */

/** Whether a message was deleted or has expired. */
export function isTombstone(message) {
  return message.deleted === true || typeof message.text !== "string";
}

/** Event: `change`, detail the conversation's id, or null when all may have changed. */
export class Store extends EventTarget {
  /** @type {Map<string, Conversation>} */
  #conversations = new Map();
  #journals = new Set();

  /** @param {string} user the id of whose state this is */
  constructor(user) {
    super();
    this.user = user;
    /** Whether the first page of conversations is there. */
    this.loaded = false;
    /** Why the conversations could not be loaded, or empty. */
    this.error = "";
    /** @type {string|null} where the next page of conversations begins */
    this.next = null;
  }

  /** Conversations, the one with the latest message first. @returns {Conversation[]} */
  get conversations() {
    const recency = ({ last_message }) => last_message?.created_at ?? "";
    return [...this.#conversations.values()].sort((a, b) => recency(b).localeCompare(recency(a), "en"));
  }

  /** @returns {Conversation|undefined} */
  conversation(id) {
    return this.#conversations.get(id);
  }

  /** The conversation with this id, made from the id if it is not known yet. @returns {Conversation} */
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

  /** The other person of a direct conversation; oneself for notes; null for a group. */
  partner({ type, members }) {
    if (type !== "dm") return null;
    return members.find((member) => member !== this.user) ?? this.user;
  }

  /** What to call a conversation. */
  title(conversation) {
    return conversation.name || this.partner(conversation) || "Group";
  }

  /** Takes a page of conversations. */
  addConversations(list, next) {
    for (const item of list) this.#merge(item);
    this.next = next;
    this.loaded = true;
    this.#changed(null);
  }

  /**
   * Takes the first page as the whole truth; `keep` tells which others to keep. Messages that arrived while the
   * page was under way are in the journal and come on top.
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
    for (const message of journal) this.#note(message);
    this.error = "";
    this.next = next;
    this.loaded = true;
    this.#changed(null);
  }

  /** Notes that the server refused to list the conversations. */
  fail(reason) {
    this.error = reason;
    this.loaded = true;
    this.#changed(null);
  }

  /** Takes a message as it stands. @returns {boolean} whether it was new or newer than what was known */
  applyMessage(message) {
    for (const journal of this.#journals) journal.push(message);
    const conversation = this.#note(message);
    const news = conversation.thread.apply(message);
    if (news) this.#changed(conversation.id);
    return news;
  }

  /** Notes every message from now on, until `stop()`: to put on top of a page that is under way. */
  journal() {
    const messages = [];
    this.#journals.add(messages);
    return { messages, stop: () => this.#journals.delete(messages) };
  }

  /** Puts a thread that was loaded anew in the place of the old one. */
  replaceThread(id, thread, journal) {
    for (const message of journal) if (message.conversation_id === id) thread.apply(message);
    this.ensure(id).thread = thread;
    this.#changed(id);
  }

  /** Forgets a conversation's messages; they are loaded again when it is opened. */
  dropThread(id) {
    this.ensure(id).thread = new Thread();
    this.#changed(id);
  }

  /** To call after a change to a conversation's thread. */
  touch(id) {
    const conversation = this.ensure(id);
    const newest = conversation.thread.messages.at(-1);
    if (newest) this.#note(newest);
    this.#changed(id);
  }

  #merge({ last_message, newest_seq, ...rest }) {
    const conversation = Object.assign(this.ensure(rest.id), rest);
    conversation.newest_seq = Math.max(conversation.newest_seq, newest_seq ?? 0);
    if (last_message) this.#note({ conversation_id: rest.id, ...last_message });
  }

  #note(message) {
    const conversation = this.ensure(message.conversation_id);
    const last = conversation.last_message;
    conversation.newest_seq = Math.max(conversation.newest_seq, message.seq);
    if (!last || message.seq > last.seq || (message.seq === last.seq && message.version > last.version)) {
      conversation.last_message = message;
    }
    return conversation;
  }

  #changed(id) {
    this.dispatchEvent(new CustomEvent("change", { detail: id }));
  }
}
