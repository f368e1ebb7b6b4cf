/** A conversation: its heading, its messages, the composer, and the details of a group. */

import { isNone, isTombstone } from "../conversation.js";
import { whoIsWriting } from "../format.js";
import { requestError } from "../http.js";
import { isIn, managesGroup, moderates, whyReadOnly } from "../membership.js";
import { askToBlock, askToUnblock, blockedNote, openBlocked } from "./blocked.js";
import { Composer } from "./composer.js";
import { ask, roundButton } from "./dialog.js";
import { announce, avatar, coalesce, el, icon } from "./dom.js";
import { GroupPanel } from "./group_panel.js";
import { openMenu } from "./menu.js";
import { presenceText } from "./presence_dot.js";
import { ThreadView } from "./thread.js";
import { toast } from "./toast.js";

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
  #composer;
  #messages;
  #heading = el("h1", { dir: "auto", tabIndex: -1 });
  #about = el("p", { className: "about", dir: "auto" });
  #avatar;
  #mute;
  #find = roundButton("Find in this conversation", "search", () => this.search());
  #details;
  #more;
  #blocked;
  #unwatch;
  #typing = el("p", { className: "typing", hidden: true });
  #readOnly = el("p", { className: "read-only", role: "status", hidden: true });
  /** @type {GroupPanel|null} */
  #panel = null;
  /** @type {{kind: "edit"|"reply", message: Message}|null} what the composer's text is for */
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
    this.#note = chat.store.partner(this.#conversation) === chat.user;
    const title = this.#title;
    this.#avatar = avatar(title, { note: this.#note, group });
    this.#mute = roundButton("Mute", "bell", () => this.#trying(() => chat.mute(id, !this.#conversation.muted)));
    this.#details = group && roundButton("Group details", "people", () => options.onDetails(this.#panel === null));
    if (this.#details) this.#details.setAttribute("aria-expanded", "false");
    const partner = this.#note ? null : chat.store.partner(this.#conversation);
    this.#more = partner === null ? null : this.#menuButton(partner);
    this.#blocked = partner === null ? null : blockedNote(chat, partner);
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
    this.#composer.set({ text: chat.drafts.get(id), label: this.#note ? "Note to yourself" : `Message to ${title}` });
    this.#messages = new ThreadView(chat, id, {
      title,
      note: this.#note,
      empty: this.#note
        ? "Only you can read what you write here. It is on all your devices."
        : `Nothing here yet. Say hello to ${group ? "everybody" : title}!`,
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
      el(
        "header",
        { className: "bar" },
        roundButton("Back to conversations", "back", options.onBack, "back"),
        this.#avatar,
        el("div", { className: "names-of" }, this.#heading, this.#about),
        this.#find,
        this.#note ? null : this.#mute,
        this.#details,
        this.#more,
      ),
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
    const partner = this.#note ? null : this.#chat.store.partner(this.#conversation);
    return this.#panel?.shown ?? { users: partner === null ? [] : [partner] };
  }

  get #conversation() {
    return this.#chat.store.ensure(this.#id);
  }

  get #title() {
    return this.#note ? "Notes to yourself" : this.#chat.store.title(this.#conversation);
  }

  /** The details of the group beside it, while they are shown. */
  get panel() {
    return this.#panel?.node ?? null;
  }

  /** Focuses the composer; on a phone, where the keyboard would open, the heading. */
  focus() {
    if (matchMedia("(pointer: coarse)").matches || this.#composer.node.hidden) {
      this.#heading.focus({ preventScroll: true });
    } else {
      this.#composer.focus();
    }
  }

  /** Shows the details of a group, or hides them. @param {boolean} shown */
  showDetails(shown) {
    const wanted = shown && this.#conversation.type === "group";
    if (wanted === (this.#panel !== null)) return;
    this.#panel = wanted ? new GroupPanel(this.#chat, this.#id, () => this.#options.onDetails(false)) : null;
    if (this.#details) this.#details.setAttribute("aria-expanded", String(wanted));
    if (!wanted && this.#details) this.#details.focus();
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

  close() {
    this.#unwatch();
    this.#messages.close();
  }

  #render() {
    const { type, member_count, topic } = this.#conversation;
    const title = this.#title;
    const partner = this.#note ? null : this.#chat.store.partner(this.#conversation);
    const called = partner === null ? "" : this.#chat.people.called(partner);
    const picture = partner === null ? "" : this.#chat.people.picture(partner);
    const none = isNone(this.#conversation);
    const shown = JSON.stringify([title, called, picture, none]);
    if (this.#heading.dataset.shown !== shown) {
      this.#heading.dataset.shown = shown;
      this.#heading.textContent = none ? "Not found" : called || title;
      const renewed = avatar(title, { note: this.#note, group: type === "group", called, picture });
      this.#avatar.replaceWith(renewed);
      this.#avatar = renewed;
      renewed.hidden = none;
    }
    const number = isIn(this.#conversation) ? member_count : 0;
    const people = number === 1 ? "1 member" : number ? `${number} members` : "";
    const presence = presenceText(partner === null ? undefined : this.#chat.presence.of(partner));
    const about = [called && title, people, topic, presence].filter(Boolean).join(" · ");
    if (this.#about.textContent !== about) this.#about.textContent = about;
    this.#about.classList.toggle("online", presence === "online");
    this.#about.hidden = !about || none;
    this.#renderMute();
    this.#renderReadOnly();
    this.#renderTyping();
    this.#messages.render();
    this.#panel?.update();
    this.#composer.updateNames();
  }

  #renderMute() {
    const label = this.#conversation.muted ? "Unmute" : "Mute";
    this.#mute.hidden = !isIn(this.#conversation);
    if (this.#mute.title === label) return;
    this.#mute.title = label;
    this.#mute.setAttribute("aria-label", label);
    this.#mute.replaceChildren(icon(this.#conversation.muted ? "bell_off" : "bell"));
  }

  #renderTyping() {
    const text = whoIsWriting(this.#chat.typing.who(this.#id));
    this.#typing.hidden = text === "";
    if (this.#typing.textContent !== text) this.#typing.textContent = text;
  }

  /** @param {string} text */
  #drafted(text) {
    this.#chat.drafts.set(this.#id, text);
    if (text && !this.#note) this.#chat.typing.write(this.#id);
  }

  /** @param {string} user the other one of the two */
  #menuButton(user) {
    const open = () => {
      const block = this.#conversation.blocked
        ? { label: `Unblock ${user}`, run: () => askToUnblock(this.#chat, user) }
        : { label: `Block ${user}`, danger: true, run: () => askToBlock(this.#chat, user) };
      openMenu(button, [block, { label: "Blocked people", run: () => openBlocked(this.#chat) }]);
    };
    const button = roundButton("More", "more", open, "dots");
    button.setAttribute("aria-haspopup", "menu");
    return button;
  }

  #renderReadOnly() {
    const { blocked = false, thread } = this.#conversation;
    const reason = whyReadOnly(this.#conversation);
    const none = isNone(this.#conversation);
    const failed = thread.state === "failed" || none;
    this.#find.hidden = none;
    if (this.#more) this.#more.hidden = none;
    if (this.#details) this.#details.hidden = none;
    const focused = this.#composer.node.contains(document.activeElement);
    if ((reason || blocked) && focused) this.#heading.focus({ preventScroll: true });
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
    if (message) await this.#trying(() => this.#chat.changes.toggle(message, emoji));
  }

  /** @param {number} seq */
  #reply(seq) {
    const message = this.#message(seq);
    if (!message) return;
    this.#mode = { kind: "reply", message };
    const title = message.sender === this.#chat.user ? "Reply to yourself" : `Reply to ${message.sender}`;
    this.#composer.begin({ kind: "reply", title, excerpt: message.text.slice(0, 200) });
  }

  /** @param {number} seq */
  #edit(seq) {
    const message = this.#message(seq);
    if (!message) return;
    this.#mode = { kind: "edit", message };
    this.#composer.begin(
      { kind: "edit", title: "Edit your message", excerpt: message.text.slice(0, 200) },
      message.text,
    );
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
    const whose = message.sender === this.#chat.user ? "" : ` of ${message.sender}`;
    const dialog = ask({
      title: `Delete this message${whose}?`,
      text: "Nobody will be able to read it any more.",
      action: "Delete",
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

  /** Does what may be refused, and says why it was. @param {() => Promise<unknown>} work */
  async #trying(work) {
    try {
      await work();
    } catch (thrown) {
      toast(requestError(thrown).message);
    }
  }
}
