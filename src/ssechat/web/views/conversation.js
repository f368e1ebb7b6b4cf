/** A conversation: its heading, its messages, the composer, and the details of a group. */

import { isNone, isTombstone } from "../conversation.js";
import { whoIsWriting } from "../format.js";
import { managesGroup, moderates } from "../membership.js";
import { whyReadOnly } from "../read_only.js";
import { say } from "../texts/language.js";
import { blockedNote } from "./blocked.js";
import { ConversationBar } from "./conversation_bar.js";
import { isNotes, titleOf } from "./conversation_summary.js";
import { ask } from "./dialog.js";
import { announce, coalesce, el } from "./dom.js";
import { GroupPanel } from "./group_panel.js";
import { ThreadView } from "./thread.js";
import { trying } from "./toast.js";
import { Writing } from "./writing.js";

/** @typedef {import("../client.js").Message} Message */

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
  #writing;
  #messages;
  #bar;
  #blocked;
  #unwatch;
  #typing = el("p", { className: "typing", hidden: true });
  #readOnly = el("p", { className: "read-only", role: "status", hidden: true });
  /** @type {GroupPanel|null} */
  #panel = null;

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
    this.#writing = new Writing(chat, id, {
      label: this.#note ? say("note_to_yourself") : say("message_to", { title }),
      told: !this.#note,
      message: (seq) => this.#message(seq),
      mayEdit: (seq) => this.#allowed(seq).edit,
      onSent: () => this.#messages.toNewest(),
    });
    this.#messages = new ThreadView(chat, id, {
      title,
      note: this.#note,
      empty: (name) => (this.#note ? say("only_you") : group ? say("say_hello_group") : say("say_hello", { name })),
      tools: {
        allowed: (seq) => this.#allowed(seq),
        onReact: (seq, emoji) => this.#react(seq, emoji),
        onReply: (seq) => this.#writing.reply(seq),
        onEdit: (seq) => this.#writing.edit(seq),
        onDelete: (seq) => this.#delete(seq),
      },
      onRewrite: (clientMessageId) => this.#writing.rewrite(clientMessageId),
      onLeave: () => this.focus(),
      onBack: options.onBack,
    });
    this.#writing.node.addEventListener("focusin", () => this.#messages.rest());
    this.node = el(
      "main",
      { className: "conversation" },
      this.#bar.node,
      this.#messages.node,
      this.#typing,
      this.#readOnly,
      this.#blocked,
      this.#writing.node,
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
    if (matchMedia("(pointer: coarse)").matches || this.#writing.node.hidden) {
      this.#bar.focus();
    } else {
      this.#writing.focus();
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

  /** The edit that is under way; null if there is none. */
  get edit() {
    return this.#writing.underEdit;
  }

  /** Goes on with the edit that another view of it had under way. @param {import("./writing.js").Edit} edit */
  goOn({ seq, text }) {
    this.#writing.edit(seq, text);
  }

  close() {
    this.#writing.close();
    this.#unwatch();
    this.#messages.close();
  }

  #render() {
    this.#bar.update();
    this.#renderReadOnly();
    this.#renderTyping();
    this.#messages.render();
    this.#panel?.update();
    this.#writing.update();
  }

  #renderTyping() {
    const { people, typing } = this.#chat;
    const writing = typing.who(this.#id).map((user) => people.name(user));
    const text = this.#conversation.blocked ? "" : whoIsWriting(writing);
    this.#typing.hidden = text === "";
    if (this.#typing.textContent !== text) this.#typing.textContent = text;
  }

  #renderReadOnly() {
    const { blocked = false, thread } = this.#conversation;
    const reason = whyReadOnly(this.#conversation);
    const failed = thread.state === "failed" || isNone(this.#conversation);
    const focused = this.#writing.node.contains(document.activeElement);
    if ((reason || blocked) && focused) this.#bar.focus();
    this.#writing.node.hidden = reason !== "" || failed || blocked;
    if (this.#blocked) this.#blocked.hidden = !blocked || reason !== "" || failed;
    this.#readOnly.hidden = !reason || failed; // then the error stands in place of the messages
    if (this.#readOnly.textContent !== reason) this.#readOnly.textContent = reason;
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
}
