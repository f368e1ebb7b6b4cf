/** Connects the parts of one signed-in user: client, state and outbox. */

import { Attempts } from "./attempts.js";
import { Blocks } from "./blocks.js";
import { Changes } from "./changes.js";
import { isTombstone, timeOf } from "./conversation.js";
import { Directory } from "./directory.js";
import { Drafts } from "./drafts.js";
import { Emitter } from "./emitter.js";
import { Groups } from "./groups.js";
import { directConversationId } from "./ids.js";
import { isIn } from "./membership.js";
import { mentionsIn } from "./mentions.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Presence } from "./presence.js";
import { Reads } from "./reads.js";
import { Receipts } from "./receipts.js";
import { storage } from "./storage.js";
import { Store } from "./store.js";
import { Sync } from "./sync.js";
import { Threads } from "./threads.js";
import { Typing } from "./typing.js";

/** @typedef {import("./client.js").Message} Message */
/** @typedef {import("./conversation.js").Conversation} Conversation */

/** The storage key of the user whom the cookie signs in, for all tabs of this browser. */
export const SIGNED_IN = "ssechat:user";

/** Milliseconds after which the page loads without the stream, if the stream is slow to open. */
const WITHOUT_STREAM = 1500;

/**
 * Events: `change`, a conversation's id, or null when any may have changed; `status`, the stream's; `arrived`, a new
 * message from another user; `unauthorized`.
 *
 * @extends {Emitter<{change: string|null, status: string, arrived: Message, unauthorized: null}>}
 */
export class Chat extends Emitter {
  #attempts = new Attempts();
  #reads;
  #sync;
  #started = false;
  #begun = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #listeners = new AbortController();

  /**
   * @param {import("./client.js").ChatClient} client
   * @param {string} user the signed-in user's id
   * @param {Partial<import("./client.js").Facts>} server what the server may do
   */
  constructor(client, user, server = {}) {
    super();
    this.server = server;
    this.client = client;
    this.user = user;
    this.store = new Store(user, client.kinds);
    /** @type {string|null} the conversation that is shown */
    this.openId = null;
    this.drafts = new Drafts(user);
    this.outbox = new Outbox({
      user,
      base: client.base,
      send: ({ order, state, reason, code, ...message }) => client.messages.send(message),
      allowed: () => this.#started && (client.withToken || storage.get(SIGNED_IN) === user),
    });
    this.#reads = new Reads(client, this.store, this.#attempts);
    this.#sync = new Sync(client, this.store, this.#attempts, (conversation) => this.#keeps(conversation));
    this.threads = new Threads(client, this.store, this.#attempts);
    this.groups = new Groups({
      client,
      store: this.store,
      sync: this.#sync,
      refreshThread: (id) => this.#refreshThread(id),
    });
    this.blocks = new Blocks(client, this.store, this.#sync);
    this.changes = new Changes(client, this.store, this.groups);
    this.typing = new Typing(client);
    this.people = new People(client, user, server);
    this.directory = new Directory(client, server.directory ?? false);
    this.receipts = new Receipts(client, this.store, this.#attempts);
    this.presence = new Presence(client);
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
    this.people.again();
    // Whenever the stream opens, the page loads again.
    this.#timer = setTimeout(() => this.#begun || this.#begin(), WITHOUT_STREAM);
  }

  /** Ends the stream and all work; stored data stays. */
  close() {
    this.#listeners.abort();
    clearTimeout(this.#timer);
    this.client.close();
    this.#attempts.close();
    this.typing.close();
    this.people.close();
    this.receipts.close();
    this.presence.close();
    this.outbox.close();
    this.#reads.close();
  }

  /** Must be called when the network is back or the page becomes visible. */
  wake() {
    if (!this.#started) return;
    this.client.wake();
    this.outbox.wake();
    this.#attempts.wake();
    this.presence.again();
  }

  /** Must be called after a time in the back/forward cache. */
  resume() {
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
    this.receipts.show(id);
    if (id === null || !this.store.loaded) return; // the load opens it
    const conversation = this.store.ensure(id);
    const complete = this.store.next === null;
    const listed = conversation.type === "group" ? conversation.role : conversation.read_up_to !== null;
    if (!listed && isIn(conversation)) this.#sync.refresh(id);
    if (complete && conversation.newest_seq === 0 && !conversation.thread.loaded && conversation.type === "dm") {
      conversation.thread.applyNewest([], false); // the conversation has no messages: no request is needed
    }
    this.threads.open(id, this.unread(conversation));
  }

  /**
   * Writes a message: it is shown at once, and sent as soon as possible.
   *
   * @param {string} conversationId
   * @param {string} text
   * @param {number|undefined} [reply_to] the seq of the message that it answers
   */
  write(conversationId, text, reply_to) {
    const conversation = this.store.ensure(conversationId);
    const to = this.store.partner(conversation) ?? undefined;
    this.typing.sent(conversationId);
    const mentions = mentionsIn(text, this.groups.mentionable(conversationId));
    return this.outbox.add({
      conversation_id: conversationId,
      to,
      text,
      reply_to,
      mentions: mentions.length ? mentions : undefined,
    });
  }

  /** Loads the next page of conversations. */
  moreConversations() {
    return this.#sync.moreConversations();
  }

  /** Loads the conversations again. */
  loadConversations() {
    return this.#sync.load();
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
      .sort((a, b) => (order(a) < order(b) ? 1 : order(a) > order(b) ? -1 : 0));
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

  /** Mutes a conversation, or unmutes it. @param {string} id @param {boolean} muted */
  async mute(id, muted) {
    this.store.apply("mark", await this.client.conversations.mute(id, muted));
  }

  /** Removes unsent messages and drafts: others may use this browser after the user signs out. */
  forget() {
    this.outbox.clear();
    this.drafts.clear();
    this.#reads.forget();
  }

  /** Handles a new message of the stream. For kinds. @param {Message} message */
  receiveMessage(message) {
    this.typing.forget(message.conversation_id, message.sender);
    const changed = this.#applyMessage(message);
    const conversation = this.store.ensure(message.conversation_id);
    const unread = !conversation.muted && message.seq > (conversation.read_up_to ?? 0);
    if (changed && unread && message.sender !== this.user && !isTombstone(message)) this.emit("arrived", message);
  }

  /** Handles a change of a message. For kinds. @param {Message} message */
  receiveChange(message) {
    if (this.store.apply("message.updated", message) && message.sender === this.user) {
      this.outbox.remove(message.client_msg_id);
    }
  }

  #listen() {
    const { signal } = this.#listeners;
    for (const [type, kind] of this.client.kinds) {
      const received = kind.received ?? (({ store }, data) => store.apply(type, data));
      this.client.on(type, (data) => received(this, data), { signal });
    }
    this.client.on("reload", (detail) => this.#reload(detail), { signal });
    this.client.on("status", (status) => this.#showStatus(status), { signal });
    for (const part of /** @type {EventTarget[]} */ ([this.client, this.#attempts, this.outbox])) {
      part.addEventListener("unauthorized", () => this.emit("unauthorized", null), { signal });
    }
    this.outbox.on("change", (id) => this.emit("change", id), { signal });
    this.outbox.on("sent", (message) => this.#applyMessage(message), { signal });
    this.store.on("change", (id) => this.#stateChanged(id), { signal });
    this.typing.on("change", (id) => this.emit("change", id), { signal });
    this.people.on("change", () => this.emit("change", null), { signal });
    this.presence.on("change", () => this.emit("change", null), { signal });
  }

  /** @param {string} status the stream's */
  #showStatus(status) {
    if (status === "live") {
      this.outbox.wake();
      this.#attempts.wake();
      this.presence.again();
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
    if (unknown || conversation.read_up_to === null) this.#sync.refresh(id); // its name, members, and what is unread
    return changed;
  }

  /** Loads the events that the stream may have missed. @param {import("./shared.js").Reload} reload */
  async #reload({ reason, conversation_id }) {
    if (reason === "lost") this.#reads.forget();
    if (!conversation_id && this.#begun) this.people.refresh({ lost: reason === "lost" });
    if (!this.#begun) {
      await this.#begin();
    } else if (conversation_id) {
      this.#refreshThread(conversation_id);
      await this.#sync.load();
    } else {
      for (const { id, thread } of this.store.conversations) if (thread.state !== "empty") this.#refreshThread(id);
      await this.#sync.load();
    }
  }

  async #begin() {
    this.#begun = true;
    this.people.refresh();
    await this.#sync.load();
    this.#reads.start();
    if (this.openId !== null) this.openConversation(this.openId);
  }

  /** Whether a conversation that the first page lacks stays. @param {Conversation} conversation */
  #keeps({ id, type, thread }) {
    if (id === this.openId) return true;
    return thread.loaded && (type === "dm" || this.store.next !== null);
  }

  /** Loads a thread that may have a hole again: now if it is shown, else when it is opened. @param {string} id */
  #refreshThread(id) {
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
    const pending = this.outbox.entries(id);
    if (!pending.length) return;
    const own = thread.messages.filter(({ sender }) => sender === this.user);
    const sent = new Set(own.map((message) => message.client_msg_id));
    for (const entry of pending) if (sent.has(entry.client_msg_id)) this.outbox.remove(entry.client_msg_id);
  }
}
