/** What a user writes in a conversation: a message, an answer to one, or a change of one. */

import { isTombstone } from "../conversation.js";
import { say } from "../texts/language.js";
import { Composer } from "./composer.js";

/** @typedef {import("../client.js").Message} Message */

/** @typedef {{kind: "edit"|"reply", message: Message}} Mode */
/** @typedef {{seq: number, text: string}} Edit */

/**
 * @typedef {object} Options
 * @property {string} label of the text field
 * @property {boolean} told whether others are told that the user is writing
 * @property {(seq: number) => Message|undefined} message that is loaded and not deleted
 * @property {(seq: number) => boolean} mayEdit
 * @property {() => void} onSent called when a message has been written, no edit
 */

/** The composer, what its text is for, and the draft that outlives it. */
export class Writing {
  #chat;
  #id;
  #options;
  #composer;
  #closing = new AbortController();
  /** @type {Mode|null} what the composer's text is for, if not a new message */
  #mode = null;
  /** @type {number|null} the seq of the message that the draft answers, until it is shown there */
  #answered;

  /**
   * @param {import("../chat.js").Chat} chat
   * @param {string} id of the conversation
   * @param {Options} options
   */
  constructor(chat, id, options) {
    this.#chat = chat;
    this.#id = id;
    this.#options = options;
    this.#composer = new Composer({
      onSend: (text) => this.#send(text),
      onDraft: (text) => this.#drafted(text),
      onEnd: () => this.#ended(),
      onEditLast: () => this.#editLast(),
      names: () => this.#names(),
    });
    this.#composer.set({ text: chat.drafts.get(id), label: options.label });
    this.#answered = chat.drafts.replyTo(id);
    chat.drafts.on("change", (one) => (one ?? id) === id && this.#draftChanged(), { signal: this.#closing.signal });
  }

  get node() {
    return this.#composer.node;
  }

  /** The edit that is under way; null if there is none. @returns {Edit|null} */
  get underEdit() {
    return this.#mode?.kind === "edit" ? { seq: this.#mode.message.seq, text: this.#composer.text } : null;
  }

  focus() {
    this.#composer.focus();
  }

  close() {
    this.#closing.abort();
  }

  /** Must be called when the conversation has changed. */
  update() {
    this.#composer.updateNames();
    if (this.#answered !== null) this.#showAnswered(this.#answered);
  }

  /** Begins an answer. @param {number} seq */
  reply(seq) {
    const message = this.#options.message(seq);
    if (!message) return;
    this.#chat.drafts.setReply(this.#id, seq);
    this.#answered = null;
    this.#answer(message);
  }

  /** @param {number} seq @param {string} [text] what it has become so far */
  edit(seq, text) {
    const message = this.#options.message(seq);
    if (!message) return;
    this.#mode = { kind: "edit", message };
    const mode = { kind: this.#mode.kind, title: say("edit_message"), excerpt: message.text.slice(0, 200) };
    this.#composer.begin(mode, { text: text ?? message.text });
  }

  /** Takes a message back that was not sent, to write it anew. @param {string} clientMessageId */
  rewrite(clientMessageId) {
    const entry = this.#chat.outbox.entries(this.#id).find((one) => one.client_msg_id === clientMessageId);
    if (!entry) return;
    if (this.#mode?.kind === "edit") {
      // The text must not become that message's, nor go with the edit.
      this.#composer.end();
      this.#mode = null;
    }
    this.#chat.outbox.remove(clientMessageId);
    if (entry.reply_to) this.reply(entry.reply_to);
    this.#composer.insert(entry.text);
  }

  /** @param {string} text */
  #drafted(text) {
    this.#chat.drafts.set(this.#id, text);
    if (text && this.#options.told) this.#chat.typing.write(this.#id);
  }

  /** @param {string} text @returns {Promise<void>|void} */
  #send(text) {
    const mode = this.#mode;
    if (mode?.kind === "edit") {
      return this.#chat.changes.edit(this.#options.message(mode.message.seq) ?? mode.message, text);
    }
    const answered = mode?.message.seq ?? this.#answered ?? undefined;
    this.#mode = this.#answered = null;
    this.#composer.end();
    this.#chat.drafts.setReply(this.#id, null);
    this.#chat.write(this.#id, text, answered);
    this.#options.onSent();
  }

  /** An edit or an answer is over. */
  #ended() {
    if (this.#mode?.kind === "edit") this.#answered = this.#chat.drafts.replyTo(this.#id);
    else this.#chat.drafts.setReply(this.#id, null);
    this.#mode = null;
    this.update();
  }

  /** Another tab has changed the draft. */
  #draftChanged() {
    const { drafts } = this.#chat;
    this.#composer.replaceDraft(drafts.get(this.#id));
    if (this.#mode?.kind === "edit") return; // its end shows it
    this.#answered = drafts.replyTo(this.#id);
    if (this.#answered === null && this.#mode) {
      this.#mode = null;
      this.#composer.end();
    }
    this.update();
  }

  /** Shows which message the draft answers, once that is loaded. @param {number} seq */
  #showAnswered(seq) {
    if (this.#mode?.kind === "edit" || !this.#chat.started) return;
    const message = this.#chat.quotes.of(this.#id).quoted(seq);
    if (message === undefined) {
      this.#chat.quotes.load(this.#id, seq);
      return;
    }
    this.#answered = null;
    if (message && !isTombstone(message)) this.#answer(message, { focus: false });
    else this.#chat.drafts.setReply(this.#id, null);
  }

  /** @param {Message} message @param {{focus?: boolean}} [options] */
  #answer(message, options) {
    this.#mode = { kind: "reply", message };
    const { sender: user } = message;
    const title = user === this.#chat.user ? say("reply_to_yourself") : say("reply_to", { user });
    this.#composer.begin({ kind: "reply", title, excerpt: message.text.slice(0, 200) }, options);
  }

  #editLast() {
    const own = (/** @type {Message} */ message) => message.sender === this.#chat.user && !isTombstone(message);
    const last = this.#chat.store.ensure(this.#id).thread.messages.findLast(own);
    if (last && this.#options.mayEdit(last.seq)) this.edit(last.seq);
  }

  /** Whom one can mention here: all members, once they are loaded. */
  #names() {
    const { groups, store, user } = this.#chat;
    if (store.ensure(this.#id).type === "group") groups.loadRoster(this.#id);
    return groups.mentionable(this.#id).filter((name) => name !== user);
  }
}
