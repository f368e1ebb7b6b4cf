/** A conversation: its heading, its messages, the composer, and the details of a group. */

import { isNone, isTombstone } from "../conversation.js";
import { whoIsWriting } from "../format.js";
import { managesGroup, moderates } from "../membership.js";
import { whyReadOnly } from "../read_only.js";
import { say } from "../texts/language.js";
import { blockedNote } from "./blocked.js";
import { Composer } from "./composer.js";
import { ConversationBar } from "./conversation_bar.js";
import { isNotes, titleOf } from "./conversation_summary.js";
import { ask } from "./dialog.js";
import { announce, coalesce, el } from "./dom.js";
import { GroupPanel } from "./group_panel.js";
import { ThreadView } from "./thread.js";
import { trying } from "./toast.js";

/** @typedef {import("../client.js").Message} Message */

/** @typedef {{kind: "edit"|"reply", message: Message}} Mode */
/** @typedef {Mode & {text: string}} Writing */

/**
 * @typedef {object} Options
 * @property {() => void} onBack
 * @property {(shown: boolean) => void} onDetails shows the details of a group, or hides them
 */

/** The right column; on a phone, the second page. */
export class ConversationView {
  #chat;
  #id;
  #options;
  #note;
  #composer;
  #messages;
  #bar;
  #blocked;
  #unwatch;
  #closing = new AbortController();
  #typing = el("p", { className: "typing", hidden: true });
  #readOnly = el("p", { className: "read-only", role: "status", hidden: true });
  /** @type {GroupPanel|null} */
  #panel = null;
  /** @type {Mode|null} what the composer's text is for */
  #mode = null;

  /**
   * @param {import("../chat.js").Chat} chat
   * @param {string} id of the conversation
   * @param {Options} options
   */
  constructor(chat, id, options) {
    this.#chat = chat;
    this.#id = id;
    this.#options = options;
    const group = this.#conversation.type === "group";
    this.#note = isNotes(chat, this.#conversation);
    const title = titleOf(chat, this.#conversation);
    this.#bar = new ConversationBar(chat, id, {
      onBack: options.onBack,
      onSearch: () => this.search(),
      onDetails: () => options.onDetails(this.#panel === null),
    });
    const other = chat.store.other(this.#conversation);
    this.#blocked = other === null ? null : blockedNote(chat, other);
    this.update = coalesce(() => this.#render());
    this.#composer = new Composer({
      onSend: (text) => this.#send(text),
      onDraft: (text) => this.#drafted(text),
      onEnd: () => {
        this.#mode = null;
      },
      onEditLast: () => this.#editLast(),
      names: () => this.#names(),
    });
    this.#composer.set({
      text: chat.drafts.get(id),
      label: this.#note ? say("note_to_yourself") : say("message_to", { title }),
    });
    const changed = (/** @type {string} */ one) => one === id && this.#composer.replaceDraft(chat.drafts.get(id));
    chat.drafts.on("change", changed, { signal: this.#closing.signal });
    this.#messages = new ThreadView(chat, id, {
      title,
      note: this.#note,
      empty: (name) => (this.#note ? say("only_you") : group ? say("say_hello_group") : say("say_hello", { name })),
      tools: {
        allowed: (seq) => this.#allowed(seq),
        onReact: (seq, emoji) => this.#react(seq, emoji),
        onReply: (seq) => this.#reply(seq),
        onEdit: (seq) => this.#edit(seq),
        onDelete: (seq) => this.#delete(seq),
      },
      onRewrite: (clientMessageId) => this.#rewrite(clientMessageId),
      onLeave: () => this.focus(),
      onBack: options.onBack,
    });
    this.#composer.node.addEventListener("focusin", () => this.#messages.rest());
    this.node = el(
      "main",
      { className: "conversation" },
      this.#bar.node,
      this.#messages.node,
      this.#typing,
      this.#readOnly,
      this.#blocked,
      this.#composer.node,
    );
    this.#unwatch = chat.presence.add(() => this.#shown());
    this.#render();
  }

  /** Whom the heading or the details show. */
  #shown() {
    const other = this.#chat.store.other(this.#conversation);
    return this.#panel?.shown ?? { users: other === null ? [] : [other] };
  }

  get #conversation() {
    return this.#chat.store.ensure(this.#id);
  }

  /** The details of the group beside it, while they are shown. */
  get panel() {
    return this.#panel?.node ?? null;
  }

  /** Focuses the composer; on a phone, where the keyboard would open, the heading. */
  focus() {
    if (matchMedia("(pointer: coarse)").matches || this.#composer.node.hidden) {
      this.#bar.focus();
    } else {
      this.#composer.focus();
    }
  }

  /** Shows the details of a group, or hides them. @param {boolean} shown */
  showDetails(shown) {
    const wanted = shown && this.#conversation.type === "group";
    if (wanted === (this.#panel !== null)) return;
    this.#panel = wanted ? new GroupPanel(this.#chat, this.#id, () => this.#options.onDetails(false)) : null;
    this.#bar.expanded(wanted);
    this.#chat.presence.look();
  }

  /** Announces a message of somebody else that arrived live. @param {Message} message */
  arrived({ sender, text }) {
    announce(`${this.#chat.people.name(sender)}: ${text}`);
  }

  /** Opens the search in what is loaded. @returns {boolean} whether that is what was wanted */
  search() {
    return !isNone(this.#conversation) && this.#messages.search.open();
  }

  /** Marks the conversation as read if its end is visible now. */
  seen() {
    this.#messages.seen();
  }

  /** The answer or the edit that is under way, and its text; null if there is none. @returns {Writing|null} */
  get writing() {
    return this.#mode && { ...this.#mode, text: this.#composer.text };
  }

  /** Goes on with what another view of this conversation had under way. @param {Writing} writing */
  goOn({ kind, message: { seq }, text }) {
    if (kind === "edit") this.#edit(seq, text);
    else this.#reply(seq);
  }

  close() {
    this.#closing.abort();
    this.#unwatch();
    this.#messages.close();
  }

  #render() {
    this.#bar.update();
    this.#renderReadOnly();
    this.#renderTyping();
    this.#messages.render();
    this.#panel?.update();
    this.#composer.updateNames();
  }

  #renderTyping() {
    const { people, typing } = this.#chat;
    const writing = typing.who(this.#id).map((user) => people.name(user));
    const text = this.#conversation.blocked ? "" : whoIsWriting(writing);
    this.#typing.hidden = text === "";
    if (this.#typing.textContent !== text) this.#typing.textContent = text;
  }

  /** @param {string} text */
  #drafted(text) {
    this.#chat.drafts.set(this.#id, text);
    if (text && !this.#note) this.#chat.typing.write(this.#id);
  }

  #renderReadOnly() {
    const { blocked = false, thread } = this.#conversation;
    const reason = whyReadOnly(this.#conversation);
    const failed = thread.state === "failed" || isNone(this.#conversation);
    const focused = this.#composer.node.contains(document.activeElement);
    if ((reason || blocked) && focused) this.#bar.focus();
    this.#composer.node.hidden = reason !== "" || failed || blocked;
    if (this.#blocked) this.#blocked.hidden = !blocked || reason !== "" || failed;
    this.#readOnly.hidden = !reason || failed; // then the error stands in place of the messages
    if (this.#readOnly.textContent !== reason) this.#readOnly.textContent = reason;
  }

  /** @param {string} text @returns {Promise<void>|void} */
  #send(text) {
    const mode = this.#mode;
    if (mode?.kind === "edit") {
      return this.#chat.changes.edit(this.#message(mode.message.seq) ?? mode.message, text);
    }
    this.#mode = null;
    this.#composer.end();
    this.#chat.write(this.#id, text, mode?.message.seq);
    this.#messages.toNewest();
  }

  /** The message with this seq that is not deleted. @param {number} seq */
  #message(seq) {
    const message = this.#conversation.thread.get(seq);
    return message && !isTombstone(message) ? message : undefined;
  }

  /** @param {number} seq @returns {import("./tools.js").Allowed} */
  #allowed(seq) {
    const message = this.#message(seq);
    const present = message !== undefined && !whyReadOnly(this.#conversation);
    const writes = present && !this.#conversation.blocked;
    const mine = message?.sender === this.#chat.user;
    const { type, roster } = this.#conversation;
    if (managesGroup(this.#conversation)) this.#chat.groups.loadRoster(this.#id); // the sender's role counts
    const moderated = type === "group" && moderates(this.#conversation, roster?.role(message?.sender ?? ""));
    return { react: writes, reply: writes, edit: writes && mine, delete: present && (mine || moderated) };
  }

  /** @param {number} seq @param {string} emoji */
  async #react(seq, emoji) {
    const message = this.#message(seq);
    if (message) await trying(() => this.#chat.changes.toggle(message, emoji));
  }

  /** @param {number} seq */
  #reply(seq) {
    const message = this.#message(seq);
    if (!message) return;
    this.#mode = { kind: "reply", message };
    const { sender: user } = message;
    const title = user === this.#chat.user ? say("reply_to_yourself") : say("reply_to", { user });
    this.#composer.begin({ kind: "reply", title, excerpt: message.text.slice(0, 200) });
  }

  /** @param {number} seq @param {string} [text] what it has become so far */
  #edit(seq, text) {
    const message = this.#message(seq);
    if (!message) return;
    this.#mode = { kind: "edit", message };
    const mode = { kind: this.#mode.kind, title: say("edit_message"), excerpt: message.text.slice(0, 200) };
    this.#composer.begin(mode, text ?? message.text);
  }

  #editLast() {
    const own = (/** @type {Message} */ message) => message.sender === this.#chat.user && !isTombstone(message);
    const last = this.#conversation.thread.messages.findLast(own);
    if (last && this.#allowed(last.seq).edit) this.#edit(last.seq);
  }

  /** @param {number} seq */
  #delete(seq) {
    const message = this.#message(seq);
    if (!message) return;
    const { sender: user } = message;
    const dialog = ask({
      title: user === this.#chat.user ? say("delete_this") : say("delete_of", { user }),
      text: say("delete_warning"),
      action: say("delete"),
      run: () => this.#chat.changes.remove(message),
    });
    dialog.addEventListener("close", () => this.focus());
  }

  /** @param {string} clientMessageId of a message that was not sent */
  #rewrite(clientMessageId) {
    const entry = this.#chat.outbox.entries(this.#id).find((one) => one.client_msg_id === clientMessageId);
    if (!entry) return;
    if (this.#mode?.kind === "edit") {
      // The text must not become that message's, nor go with the edit.
      this.#composer.end();
      this.#mode = null;
    }
    this.#chat.outbox.remove(clientMessageId);
    if (entry.reply_to) this.#reply(entry.reply_to);
    this.#composer.insert(entry.text);
  }

  /** Whom one can mention here: all members, once they are loaded. */
  #names() {
    if (this.#conversation.type === "group") this.#chat.groups.loadRoster(this.#id);
    return this.#chat.groups.mentionable(this.#id).filter((name) => name !== this.#chat.user);
  }
}
