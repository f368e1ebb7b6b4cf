/** What one signed-in user has: conversations, messages, what is unread, and what is unsent. */

import { Attempts } from "./attempts.js";
import { BaseClient } from "./base_client.js";
import { later, timeOf } from "./conversation.js";
import { ackDeliveries } from "./deliveries.js";
import { Emitter } from "./emitter.js";
import { directConversationId } from "./ids.js";
import { isIn } from "./membership.js";
import { Outbox } from "./outbox.js";
import { Reads } from "./reads.js";
import { SIGNED_IN, storage } from "./storage.js";
import { Store } from "./store.js";
import { Sync } from "./sync.js";
import { Threads } from "./threads.js";

/** @typedef {import("./client.js").Message} Message */
/** @typedef {import("./conversation.js").Conversation} Conversation */

/**
 * The class of what a user has; its client is of the class `Client`.
 *
 * @template {BaseChat} User
 * @typedef {{Client: typeof BaseClient,
 *   new (client: any, user: string, server: Partial<import("./client.js").Facts>): User}} Kind
 */

/** Milliseconds after which the page loads without the stream, if the stream is slow to open. */
const WITHOUT_STREAM = 1500;

/**
 * What every page and program of a user needs. What an app shows besides is Chat's (chat.js).
 *
 * Events: `change`, a conversation's id, or null when any may have changed; `status`, the stream's; `load`, when
 * all is loaded anew: whether the server has lost history; `unauthorized`; of Chat also `arrived`, a new message from
 * another user.
 *
 * @extends {Emitter<{change: string|null, status: string, arrived: Message, load: boolean, unauthorized: null}>}
 */
export class BaseChat extends Emitter {
  /** The class of its client. */
  static Client = BaseClient;

  /** What asks again, until there is an answer or all ends. */
  attempts = new Attempts();
  #reads;
  #started = false;
  #begun = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #listeners = new AbortController();
  /** @type {string|null} the conversation that is shown */
  openId = null;

  /**
   * @param {BaseClient} client
   * @param {string} user the signed-in user's id
   */
  constructor(client, user) {
    super();
    this.client = client;
    this.user = user;
    this.store = new Store(user, client.kinds);
    this.outbox = new Outbox({
      user,
      base: client.base,
      send: ({ order, state, reason, code, ...message }) => client.messages.send(message),
      allowed: () => this.#started && this.#isSignedIn,
    });
    this.#reads = new Reads(client, this.store, this.attempts);
    this.sync = new Sync(client, this.store, this.attempts, (conversation) => this.#keeps(conversation));
    this.threads = new Threads(client, this.store, this.attempts);
    this.#listen();
  }

  /** Whether it is known that the user is signed in; before that, nothing is loaded and nothing sent. */
  get started() {
    return this.#started;
  }

  /** The stream's status. */
  get status() {
    return this.#started ? this.client.status : "reconnecting";
  }

  /** Opens the stream, loads, and sends what earlier pages left unsent. */
  start() {
    this.#started = true;
    this.client.open();
    this.outbox.start();
    // Whenever the stream opens, the page loads again.
    this.#timer = setTimeout(() => this.#begun || this.#begin(), WITHOUT_STREAM);
  }

  /** Ends the stream and all work; stored data stays. */
  close() {
    this.#listeners.abort();
    clearTimeout(this.#timer);
    this.client.close();
    this.attempts.close();
    this.outbox.close();
  }

  /** Must be called when the network is back or the page becomes visible. */
  wake() {
    if (!this.#started) return;
    this.client.wake();
    this.outbox.start();
    this.attempts.wake();
  }

  /** Whether the user is still the one whom this browser's cookie signs in. */
  get #isSignedIn() {
    return this.client.withToken || storage.get(SIGNED_IN) === this.user;
  }

  /** Must be called after a time in the back/forward cache, where nothing is heard of what other tabs do. */
  resume() {
    if (!this.#isSignedIn) return this.emit("unauthorized", null);
    if (!this.#started) return;
    this.client.close();
    this.client.open();
    this.wake();
  }

  /** The conversation with a user. @param {string} user @returns {string} its id */
  direct(user) {
    const id = directConversationId(this.user, user);
    this.store.ensure(id);
    return id;
  }

  /** Shows a conversation: loads it and keeps it loaded. @param {string|null} id */
  openConversation(id) {
    this.openId = id;
    if (!this.#started) return; // the start opens it
    if (id === null || !this.store.loaded) return; // the load opens it
    const conversation = this.store.ensure(id);
    const complete = this.store.next === null;
    const listed = conversation.type === "group" ? conversation.role : conversation.read_up_to !== null;
    if (!listed && isIn(conversation)) this.sync.refresh(id);
    if (complete && conversation.newest_seq === 0 && !conversation.thread.loaded && conversation.type === "dm") {
      conversation.thread.applyNewest([], false); // the conversation has no messages: no request is needed
    }
    this.threads.open(id, this.unread(conversation));
  }

  /** The conversations to show, the latest first; unsent messages count. */
  get list() {
    const pending = new Map(this.outbox.all.map((entry) => [entry.conversation_id, entry]));
    for (const id of pending.keys()) this.store.ensure(id);
    // A conversation that the user just opened is on top, even without messages.
    const order = (/** @type {{conversation: Conversation, time: string}} */ { conversation, time }) =>
      time || (conversation.id === this.openId ? "new" : "");
    return this.store.conversations
      .map((conversation) => {
        const last = pending.get(conversation.id) ?? null;
        const time = last ? new Date(last.order).toISOString() : timeOf(conversation);
        return { conversation, pending: last, time };
      })
      .filter(({ conversation, pending: last, time }) => {
        if (last || conversation.id === this.openId) return true;
        return conversation.type === "dm" ? time !== "" : isIn(conversation);
      })
      .sort((a, b) => later(order(a), order(b)));
  }

  /** The number of unread messages of a conversation. @param {Conversation} conversation */
  unread(conversation) {
    if (!isIn(conversation)) return 0;
    return Math.max(0, conversation.newest_seq - this.readUpTo(conversation));
  }

  /** The seq up to which the user has read. @param {Conversation} conversation */
  readUpTo({ id, read_up_to, newest_seq }) {
    return Math.max(read_up_to ?? newest_seq, this.#reads.pending(id));
  }

  /** Whether an unread message mentions the user. @param {Conversation} conversation */
  mentioned(conversation) {
    return isIn(conversation) && conversation.mentions.some((seq) => seq > this.readUpTo(conversation));
  }

  /** The number of unread messages in all conversations that are not muted. */
  get unreadTotal() {
    const loud = this.store.conversations.filter(({ muted }) => !muted);
    return loud.reduce((sum, conversation) => sum + this.unread(conversation), 0);
  }

  /** Marks a conversation as read. @param {string} id */
  markRead(id) {
    const conversation = this.store.ensure(id);
    if (this.unread(conversation) === 0) return;
    this.#reads.mark(id, conversation.newest_seq);
    this.emit("change", id);
  }

  /** Removes unsent messages: others may use this browser after the user signs out. */
  forget() {
    this.outbox.clear();
    this.#reads.forget();
  }

  /** Handles a new message of the stream; whether that changed anything. For kinds. @param {Message} message */
  receiveMessage(message) {
    return this.#applyMessage(message);
  }

  /** Handles a change of a message. For kinds. @param {Message} message */
  receiveChange(message) {
    if (this.store.apply("message.updated", message) && message.sender === this.user) {
      this.outbox.remove(message.client_msg_id);
    }
  }

  /** Handles an event `member` of the stream. For kinds. @param {import("./membership.js").MemberEvent} event */
  receiveMember(event) {
    const { conversation_id: id, users, left, more } = event;
    const before = this.store.conversation(id);
    const own = users.some(({ user }) => user === this.user);
    const joins = own && !left && !(before?.role && isIn(before));
    this.store.apply("member", event);
    if (joins) this.#joined(id);
    else if (more || (!before && !(own && left))) this.sync.refresh(id);
  }

  /** Handles an event `conversation` of the stream. For kinds. @param {import("./membership.js").Facts} facts */
  receiveFacts(facts) {
    if (!this.store.apply("conversation", facts)) this.sync.refresh(facts.conversation_id);
  }

  /** The user has joined, or was added: what can be read there has changed. @param {string} id */
  #joined(id) {
    this.store.ensure(id).read_up_to = null;
    this.refreshThread(id);
    this.sync.refresh(id);
  }

  #listen() {
    const { signal } = this.#listeners;
    ackDeliveries(this.client, this.store, signal);
    for (const [type, kind] of this.client.kinds) {
      const received = kind.received ?? (({ store }, data) => store.apply(type, data));
      this.client.on(type, (data) => received(this, data), { signal });
    }
    this.client.on("reload", (detail) => this.#reload(detail), { signal });
    this.client.on("status", (status) => this.#showStatus(status), { signal });
    for (const part of [this.client, this.attempts, this.outbox]) this.relay(part, ["unauthorized"], signal);
    this.relay(this.outbox, ["change"], signal);
    this.outbox.on("sent", (message) => this.#applyMessage(message), { signal });
    this.store.on("change", (id) => this.#stateChanged(id), { signal });
  }

  /** @param {string} status the stream's */
  #showStatus(status) {
    if (status === "live") {
      this.outbox.wake();
      this.attempts.wake();
    }
    this.emit("status", status);
  }

  /** Applies a message, live or just sent, to the state around it. @param {Message} message */
  #applyMessage(message) {
    const { conversation_id: id } = message;
    const unknown = !this.store.conversation(id);
    if (message.sender === this.user) this.outbox.remove(message.client_msg_id);
    const changed = this.store.apply("message", message);
    const conversation = this.store.ensure(id);
    if (conversation.thread.hasHole) this.threads.fill(id);
    if (unknown || conversation.read_up_to === null) this.sync.refresh(id); // its name, members, and what is unread
    return changed;
  }

  /** Loads the events that the stream may have missed. @param {import("./shared.js").Reload} reload */
  async #reload({ reason, conversation_id }) {
    if (reason === "lost") this.#reads.forget();
    if (!this.#begun) return this.#begin();
    if (conversation_id) {
      this.refreshThread(conversation_id);
    } else {
      this.emit("load", reason === "lost");
      for (const { id, thread } of this.store.conversations) if (thread.state !== "empty") this.refreshThread(id);
    }
    await this.sync.load();
  }

  async #begin() {
    this.#begun = true;
    this.emit("load", false);
    await this.sync.load();
    this.#reads.start();
    if (this.openId !== null) this.openConversation(this.openId);
  }

  /** Whether a conversation that the first page lacks stays. @param {Conversation} conversation */
  #keeps({ id, type, thread }) {
    if (id === this.openId) return true;
    return thread.loaded && (type === "dm" || this.store.next !== null);
  }

  /** Loads a thread that may have a hole again: now if it is shown, else when it is opened. @param {string} id */
  refreshThread(id) {
    if (id === this.openId) this.threads.reload(id);
    else this.store.dropThread(id);
  }

  /** @param {string|null} id */
  #stateChanged(id) {
    const one = id === null ? undefined : this.store.conversation(id);
    for (const conversation of id === null ? this.store.conversations : one ? [one] : []) {
      this.#confirm(conversation);
    }
    this.emit("change", id);
  }

  /**
   * Removes messages from the outbox that the history shows as sent: their responses were lost.
   *
   * @param {Conversation} conversation
   */
  #confirm({ id, thread }) {
    if (!this.outbox.entries(id).length) return;
    for (const { sender, client_msg_id: sent } of thread.messages) if (sender === this.user) this.outbox.remove(sent);
  }
}
