/** The members of a group with their roles, and what one may do with them. */

import { managesGroup, moderates } from "../membership.js";
import { say, sayCount } from "../texts/language.js";
import { ask, roundButton } from "./dialog.js";
import { el } from "./dom.js";
import { openMenu } from "./menu.js";
import { personAvatar, personName } from "./person.js";
import { onScreen, withDot } from "./presence_dot.js";
import { trying } from "./toast.js";

/** @typedef {import("../client.js").Role} Role */

/** Rows that are drawn at first, and with each "Show more". */
const STEP = 100;

export class MemberList {
  #chat;
  #id;
  #heading = el("h3");
  #list = el("ul", { className: "members" });
  #more;
  #shown = STEP;
  #signature = "";

  /** @param {import("../chat.js").Chat} chat @param {string} id */
  constructor(chat, id) {
    this.#chat = chat;
    this.#id = id;
    this.#more = el("button", {
      type: "button",
      className: "quiet",
      textContent: say("show_more"),
      onclick: () => {
        this.#shown += STEP;
        this.update();
      },
    });
    this.node = el("section", { className: "member-list" }, this.#heading, this.#list, this.#more);
  }

  /** Must be called after a change of the group. */
  update() {
    const { roster, role, member_count, ended } = this.#chat.store.ensure(this.#id);
    const members = roster?.members ?? [];
    const { people, presence } = this.#chat;
    const faces = members
      .slice(0, this.#shown)
      .map(({ user }) => [people.called(user), people.picture(user), presence.of(user)?.online]);
    const signature = JSON.stringify([role, ended, member_count, this.#shown, roster ? members : null, faces]);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#heading.textContent = member_count === undefined ? say("members") : sayCount("members_count", member_count);
    this.#more.hidden = members.length <= this.#shown;
    const focused = document.activeElement?.closest("li")?.dataset.user;
    this.#list.replaceChildren(...members.slice(0, this.#shown).map((member) => this.#row(member)));
    if (!roster) this.#list.append(el("li", { className: "loading", textContent: say("loading_members") }));
    /** @type {HTMLElement|null} */
    const again = focused ? this.#list.querySelector(`[data-user="${CSS.escape(focused)}"] button`) : null;
    again?.focus({ preventScroll: true });
    this.#chat.presence.look();
  }

  /** The others who are on the screen. */
  get shown() {
    const rows = /** @type {HTMLElement[]} */ (onScreen(this.#list));
    return rows.map((row) => row.dataset.user ?? "").filter((user) => user && user !== this.#chat.user);
  }

  /** @param {{user: string, role: Role}} member */
  #row({ user, role }) {
    const items = this.#actions(user, role);
    const row = el(
      "li",
      {},
      withDot(personAvatar(this.#chat.people, user), this.#chat.presence.of(user)?.online),
      personName(user, this.#chat.people.called(user), user === this.#chat.user ? say("is_you") : ""),
      (role === "owner" || role === "admin") && el("span", { className: "role", textContent: say(role) }),
    );
    row.dataset.user = user;
    if (!items.length) return row;
    const button = roundButton(say("what_to_do_with", { user }), "more", () => openMenu(button, items));
    button.setAttribute("aria-haspopup", "menu");
    row.append(button);
    return row;
  }

  /** @param {string} user @param {Role} role @returns {import("./menu.js").MenuItem[]} */
  #actions(user, role) {
    const group = this.#chat.store.ensure(this.#id);
    /** @type {import("./menu.js").MenuItem[]} */
    const items = [];
    const { client } = this.#chat;
    const become = (/** @type {string} */ label, /** @type {Role} */ wanted) => {
      if (role !== wanted)
        items.push({ label, run: () => trying(() => client.groups.setRole(this.#id, user, wanted)) });
    };
    if (group.role === "owner" && managesGroup(group)) {
      become(say("make_owner"), "owner");
      become(say("make_admin"), "admin");
      become(say("make_member"), "member");
    }
    if (user === this.#chat.user || !moderates(group, role)) return items;
    const run = () =>
      ask({
        title: say("remove_title", { user }),
        text: say("remove_text"),
        action: say("remove"),
        run: () => client.groups.remove(this.#id, user),
      });
    items.push({ label: say("remove"), danger: true, run });
    return items;
  }
}
