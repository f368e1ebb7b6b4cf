/** The heading of a conversation: whose it is, who is there, and the buttons for it as a whole. */

import { isNone } from "../conversation.js";
import { isIn } from "../membership.js";
import { say, sayCount } from "../texts/language.js";
import { askToBlock, askToUnblock, openBlocked } from "./blocked.js";
import { faceOf, isNotes, titleOf } from "./conversation_summary.js";
import { roundButton } from "./dialog.js";
import { avatar, el, icon } from "./dom.js";
import { openMenu } from "./menu.js";
import { presenceText } from "./presence_dot.js";
import { trying } from "./toast.js";

/**
 * @typedef {object} Options
 * @property {() => void} onBack
 * @property {() => void} onSearch
 * @property {() => void} onDetails shows the details of a group, or hides them
 */

export class ConversationBar {
  #chat;
  #id;
  #heading = el("h1", { dir: "auto", tabIndex: -1 });
  #about = el("p", { className: "about", dir: "auto" });
  #avatar = el("span");
  #mute;
  #find;
  #details;
  #more;
  #signature = "";

  /** @param {import("../chat.js").Chat} chat @param {string} id of the conversation @param {Options} options */
  constructor(chat, id, { onBack, onSearch, onDetails }) {
    this.#chat = chat;
    this.#id = id;
    const other = chat.store.other(this.#conversation);
    this.#mute = roundButton(say("mute"), "bell", () => trying(() => chat.mute(id, !this.#conversation.muted)));
    this.#find = roundButton(say("find_here"), "search", onSearch);
    this.#details = this.#conversation.type === "group" && roundButton(say("group_details"), "people", onDetails);
    if (this.#details) this.#details.setAttribute("aria-expanded", "false");
    this.#more = other === null ? null : this.#menuButton(other);
    this.node = el(
      "header",
      { className: "bar" },
      roundButton(say("back_to_list"), "back", onBack, "back"),
      this.#avatar,
      el("div", { className: "names-of" }, this.#heading, this.#about),
      this.#find,
      isNotes(chat, this.#conversation) ? null : this.#mute,
      this.#details,
      this.#more,
    );
  }

  get #conversation() {
    return this.#chat.store.ensure(this.#id);
  }

  focus() {
    this.#heading.focus({ preventScroll: true });
  }

  /** Says whether the details are shown. @param {boolean} shown */
  expanded(shown) {
    if (!this.#details) return;
    this.#details.setAttribute("aria-expanded", String(shown));
    // Where the details cover the conversation, the button is there again once they are gone.
    const button = this.#details;
    if (!shown) queueMicrotask(() => button.focus());
  }

  /** Must be called when the conversation, or what is known of the other person, may have changed. */
  update() {
    const none = isNone(this.#conversation);
    this.#renderName(none);
    this.#renderAbout(none);
    this.#renderMute();
    this.#find.hidden = none;
    if (this.#more) this.#more.hidden = none;
    if (this.#details) this.#details.hidden = none;
  }

  /** @param {boolean} none */
  #renderName(none) {
    const title = titleOf(this.#chat, this.#conversation);
    const face = faceOf(this.#chat, this.#conversation);
    const signature = JSON.stringify([title, face, none]);
    if (this.#signature === signature) return;
    this.#signature = signature;
    this.#heading.textContent = none ? say("not_found") : face.called || title;
    const group = this.#conversation.type === "group";
    const renewed = avatar(title, { note: isNotes(this.#chat, this.#conversation), group, ...face });
    renewed.hidden = none;
    this.#avatar.replaceWith(renewed);
    this.#avatar = renewed;
  }

  /** @param {boolean} none */
  #renderAbout(none) {
    const { member_count, topic } = this.#conversation;
    const other = this.#chat.store.other(this.#conversation);
    const { called } = faceOf(this.#chat, this.#conversation);
    const number = isIn(this.#conversation) ? member_count : 0;
    const people = number ? sayCount("members_count", number) : "";
    const presence = presenceText(other === null ? undefined : this.#chat.presence.of(other));
    const about = [called && other, people, topic, presence].filter(Boolean).join(" · ");
    if (this.#about.textContent !== about) this.#about.textContent = about;
    this.#about.classList.toggle("online", presence === say("online"));
    this.#about.hidden = !about || none;
  }

  #renderMute() {
    const label = say(this.#conversation.muted ? "unmute" : "mute");
    this.#mute.hidden = !isIn(this.#conversation);
    if (this.#mute.title === label) return;
    this.#mute.title = label;
    this.#mute.setAttribute("aria-label", label);
    this.#mute.replaceChildren(icon(this.#conversation.muted ? "bell_off" : "bell"));
  }

  /** @param {string} user the other one of the two */
  #menuButton(user) {
    const open = () => {
      const block = this.#conversation.blocked
        ? { label: say("unblock_user", { user }), run: () => askToUnblock(this.#chat, user) }
        : { label: say("block_user", { user }), danger: true, run: () => askToBlock(this.#chat, user) };
      openMenu(button, [block, { label: say("blocked_people"), run: () => openBlocked(this.#chat) }]);
    };
    const button = roundButton(say("more"), "more", open, "dots");
    button.setAttribute("aria-haspopup", "menu");
    return button;
  }
}
