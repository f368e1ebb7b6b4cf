/** What an app shows of one signed-in user: conversations and messages, and all that people see and do around them. */

import { BaseChat } from "./base_chat.js";
import { Blocks } from "./blocks.js";
import { Changes } from "./changes.js";
import { ChatClient } from "./client.js";
import { isTombstone } from "./conversation.js";
import { Directory } from "./directory.js";
import { Drafts } from "./drafts.js";
import { Groups } from "./groups.js";
import { mentionsIn } from "./mentions.js";
import { Paging } from "./paging.js";
import { People } from "./people.js";
import { Presence } from "./presence.js";
import { Quotes } from "./quotes.js";
import { Receipts } from "./receipts.js";
import { Typing } from "./typing.js";
import { WideThreads } from "./wide_threads.js";

export { SIGNED_IN } from "./storage.js";

/** @typedef {import("./client.js").Message} Message */

/** The events that have a message as it stands. */
const MESSAGES = ["message", "message.updated", "message.deleted"];

export class Chat extends BaseChat {
  /** @override */
  static Client = ChatClient;

  #listeners = new AbortController();
  #paging;

  /**
   * @param {ChatClient} client
   * @param {string} user the signed-in user's id
   * @param {Partial<import("./client.js").Facts>} server what the server may do
   */
  constructor(client, user, server = {}) {
    super(client, user);
    this.server = server;
    this.#paging = new Paging(this.store, this.sync);
    this.threads = new WideThreads(client, this.store, this.attempts);
    this.quotes = new Quotes(client, this.store, this.attempts);
    this.drafts = new Drafts(user);
    this.groups = new Groups(this);
    this.blocks = new Blocks(client, this.store, this.sync);
    this.changes = new Changes({ client, store: this.store, groups: this.groups, quotes: this.quotes });
    this.typing = new Typing(client);
    this.people = new People(client, user, server);
    this.directory = new Directory(client, server.directory ?? false);
    this.receipts = new Receipts(client, this.store, this.attempts);
    this.presence = new Presence(client);
    this.#follow();
  }

  /** Opens the stream, loads, and sends what earlier pages left unsent. @override */
  start() {
    super.start();
    this.people.again();
  }

  /** Ends the stream and all work; stored data stays. @override */
  close() {
    this.#listeners.abort();
    super.close();
    this.drafts.close();
    this.typing.close();
    this.people.close();
    this.receipts.close();
    this.presence.close();
  }

  /** Must be called when the network is back or the page becomes visible. @override */
  wake() {
    super.wake();
    if (this.started) this.presence.again();
  }

  /** Shows a conversation: loads it and keeps it loaded. @override @param {string|null} id */
  openConversation(id) {
    super.openConversation(id);
    if (this.started) this.receipts.show(id);
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
    return this.#paging.more();
  }

  /** Loads the conversations again. */
  loadConversations() {
    return this.sync.load();
  }

  /** Mutes a conversation, or unmutes it. @param {string} id @param {boolean} muted */
  async mute(id, muted) {
    this.store.apply("mark", await this.client.conversations.mute(id, muted));
  }

  /** Removes unsent messages and drafts: others may use this browser after the user signs out. @override */
  forget() {
    super.forget();
    this.drafts.clear();
  }

  /**
   * Handles a new message of the stream; whether that changed anything. For kinds.
   *
   * @override
   * @param {Message} message
   */
  receiveMessage(message) {
    this.typing.forget(message.conversation_id, message.sender);
    const changed = super.receiveMessage(message);
    const { muted, read_up_to } = this.store.ensure(message.conversation_id);
    const unread = !muted && message.seq > (read_up_to ?? 0);
    if (changed && unread && message.sender !== this.user && !isTombstone(message)) this.emit("arrived", message);
    return changed;
  }

  #follow() {
    const { signal } = this.#listeners;
    const { client, blocks, people, presence, quotes, receipts, typing } = this;
    for (const type of MESSAGES) client.on(type, (message) => quotes.receive(message), { signal });
    client.on("profile", (change) => people.receive(change), { signal });
    client.on("block", (block) => blocks.emit("change", block), { signal });
    client.on("receipt", (receipt) => receipts.receive(receipt), { signal });
    client.on("typing", (told) => typing.receive(told), { signal });
    client.on("presence", (told) => presence.receive(told), { signal });
    this.on("load", (lost) => people.refresh({ lost }), { signal });
    this.on("status", (status) => status === "live" && presence.again(), { signal });
    typing.on("change", (id) => this.emit("change", id), { signal });
    for (const part of [people, presence]) part.on("change", () => this.emit("change", null), { signal });
  }
}
