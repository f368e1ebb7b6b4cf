/** Everything of one signed-in user: client, state, outbox and read marks, joined. */

import { directConversationId } from "./client.js";
import { Outbox } from "./outbox.js";
import { ReadMarks } from "./reads.js";
import { storage } from "./storage.js";
import { Store, isTombstone } from "./store.js";
import { Sync } from "./sync.js";

const MESSAGE_EVENTS = ["message", "message.updated", "message.deleted"];

/** Who is signed in with the cookie, for all tabs of this browser. */
export const SIGNED_IN = "ssechat:user";

/**
 * Events: `change` (detail conversation id or null): something to show; `status`; `arrived` (detail a message
 * from somebody else, live); `unauthorized`.
 */
export class Chat extends EventTarget {
  #sync;
  #drafts;
  #begun = false;
  #listeners = new AbortController();

  /** @param {import("./client.js").ChatClient} client signed in */
  constructor(client) {
    super();
    this.client = client;
    this.user = client.user;
    this.store = new Store(this.user);
    this.reads = new ReadMarks(this.user);
    this.openId = null;
    this.#drafts = `ssechat:draft:${this.user}:`;
    this.outbox = new Outbox({
      user: this.user,
      send: ({ conversation_id, to, text, client_msg_id }) => client.send({ conversation_id, to, text, client_msg_id }),
      allowed: () => client.token !== null || storage.get(SIGNED_IN) === this.user,
    });
    this.#sync = new Sync(client, this.store, ({ id, thread }) => id === this.openId || thread.loaded);
    this.#listen();
  }

  /** Opens the stream, loads, and sends what was left unsent. */
  start() {
    this.client.open();
    this.outbox.start();
    // Should the stream be slow to open, show what there is; whatever opens later loads again.
    setTimeout(() => this.#begun || this.#begin(), 1500);
  }

  /** Ends everything; nothing stored is lost. */
  close() {
    this.#listeners.abort();
    this.client.close();
    this.#sync.close();
    this.outbox.close();
    this.reads.close();
  }

  /** The network is back, or the page is visible again. */
  wake() {
    this.client.wake();
    this.outbox.wake();
    this.#sync.wake();
  }

  /** After a time in the back/forward cache: begin anew, from where we are. */
  resume() {
    this.client.close();
    this.client.open();
    this.wake();
  }

  /** The conversation with a user. @returns {string} its id */
  direct(user) {
    const id = directConversationId(this.user, user);
    this.store.ensure(id);
    return id;
  }

  /** Shows a conversation: loads it and keeps it loaded. */
  openConversation(id) {
    this.openId = id;
    if (id === null || !this.store.loaded) return; // else it is opened as soon as the conversations are there
    const conversation = this.store.ensure(id);
    const complete = this.store.next === null;
    if (complete && conversation.newest_seq === 0 && !conversation.thread.loaded && conversation.type === "dm") {
      conversation.thread.applyNewest([], false); // nobody has written yet: there is nothing to ask for
    }
    this.#sync.openThread(id, this.unread(conversation));
  }

  /** Writes a message: shown at once, sent as soon as possible. */
  write(conversationId, text) {
    const conversation = this.store.ensure(conversationId);
    const to = this.store.partner(conversation) ?? undefined;
    return this.outbox.add({ conversation_id: conversationId, to, text });
  }

  older(id) {
    return this.#sync.older(id);
  }

  moreConversations() {
    return this.#sync.moreConversations();
  }

  /** Conversations to show, the latest first, with what waits to be sent counted in. */
  get list() {
    const pending = new Map(this.outbox.all.map((entry) => [entry.conversation_id, entry]));
    for (const id of pending.keys()) this.store.ensure(id);
    // One that was just begun is on top, though nothing is in it.
    const order = ({ conversation, time }) => time || (conversation.id === this.openId ? "new" : "");
    return this.store.conversations
      .map((conversation) => {
        const last = pending.get(conversation.id) ?? null;
        const time = last ? new Date(last.order).toISOString() : (conversation.last_message?.created_at ?? "");
        return { conversation, pending: last, time };
      })
      .filter(({ conversation, time }) => time || conversation.type !== "dm" || conversation.id === this.openId)
      .sort((a, b) => (order(a) < order(b) ? 1 : order(a) > order(b) ? -1 : 0));
  }

  /** How many messages of a conversation are unread. */
  unread({ id, newest_seq }) {
    return Math.max(0, newest_seq - this.reads.upTo(id));
  }

  /** How many messages are unread in all. */
  get unreadTotal() {
    return this.store.conversations.reduce((sum, conversation) => sum + this.unread(conversation), 0);
  }

  /** Marks all that is there as read. */
  markRead(id) {
    if (this.reads.mark(id, this.store.ensure(id).newest_seq)) this.#changed(id);
  }

  /** What was being written in a conversation. */
  draft(id) {
    return storage.get(this.#drafts + id) ?? "";
  }

  setDraft(id, text) {
    if (text) storage.set(this.#drafts + id, text);
    else storage.remove(this.#drafts + id);
  }

  /** Forgets what was written and not sent (at sign-out, on a browser that others may use). */
  forget() {
    this.outbox.clear();
    for (const key of storage.keys(this.#drafts)) storage.remove(key);
  }

  #listen() {
    const on = (target, type, handler) =>
      target.addEventListener(type, ({ detail }) => handler(detail), { signal: this.#listeners.signal });
    for (const type of MESSAGE_EVENTS) on(this.client, type, (message) => this.#receive(message));
    for (const type of ["conversation", "member"]) on(this.client, type, () => this.#sync.load());
    on(this.client, "reload", (detail) => this.#reload(detail));
    on(this.client, "status", (status) => {
      if (status === "live") {
        this.outbox.wake();
        this.#sync.wake();
      }
      this.dispatchEvent(new CustomEvent("status", { detail: status }));
    });
    for (const source of [this.client, this.#sync, this.outbox]) {
      on(source, "unauthorized", () => this.dispatchEvent(new CustomEvent("unauthorized")));
    }
    on(this.store, "change", (id) => this.#stored(id));
    on(this.outbox, "change", (id) => this.#changed(id));
    on(this.outbox, "sent", (message) => this.#take(message));
    on(this.reads, "change", () => this.#changed(null));
  }

  #receive(message) {
    const news = this.#take(message);
    const unread = message.seq > this.reads.upTo(message.conversation_id);
    if (news && unread && message.sender !== this.user && !isTombstone(message)) {
      this.dispatchEvent(new CustomEvent("arrived", { detail: message }));
    }
  }

  #take(message) {
    const unknown = !this.store.conversation(message.conversation_id);
    // One that is further down the list than what is loaded: what came before is not new.
    if (unknown && this.store.next !== null) this.reads.mark(message.conversation_id, message.seq - 1);
    if (message.sender === this.user) {
      this.outbox.remove(message.client_msg_id);
      this.reads.mark(message.conversation_id, message.seq);
    }
    const news = this.store.applyMessage(message);
    const conversation = this.store.conversation(message.conversation_id);
    if (conversation.thread.hasHole) this.#sync.fill(conversation.id);
    if (unknown && conversation.type !== "dm") this.#sync.load(); // its name and members
    return news;
  }

  async #reload({ reason, conversation_id }) {
    if (!this.#begun) {
      await this.#begin();
    } else if (conversation_id) {
      this.#refreshThread(conversation_id);
      await this.#sync.load();
    } else {
      for (const { id, thread } of this.store.conversations) if (thread.state !== "empty") this.#refreshThread(id);
      await this.#sync.load();
    }
    if (reason === "lost") for (const { id, newest_seq } of this.store.conversations) this.reads.lower(id, newest_seq);
  }

  async #begin() {
    this.#begun = true;
    await this.#sync.load();
    if (this.openId !== null) this.openConversation(this.openId);
  }

  /** A thread that may have a hole: load it anew if it is shown, else when it is opened. */
  #refreshThread(id) {
    if (id === this.openId) this.#sync.reloadThread(id);
    else this.store.dropThread(id);
  }

  #stored(id) {
    if (this.store.loaded) this.reads.begin(this.store.conversations, this.user);
    const changed = id === null ? this.store.conversations : [this.store.conversation(id)];
    for (const conversation of changed) {
      const last = conversation?.last_message;
      if (last?.sender === this.user) this.reads.mark(conversation.id, last.seq);
      if (conversation) this.#confirm(conversation);
    }
    this.#changed(id);
  }

  /** What history shows has been sent, though no answer has said so. */
  #confirm({ id, thread }) {
    const pending = this.outbox.entries(id);
    if (!pending.length) return;
    const own = thread.messages.filter(({ sender }) => sender === this.user);
    const sent = new Set(own.map((message) => message.client_msg_id));
    for (const entry of pending) if (sent.has(entry.client_msg_id)) this.outbox.remove(entry.client_msg_id);
  }

  #changed(id) {
    this.dispatchEvent(new CustomEvent("change", { detail: id }));
  }
}
