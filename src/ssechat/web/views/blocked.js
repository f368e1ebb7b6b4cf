/** Blocking somebody, and the people whom the user has blocked. */

import { say, sayProblem } from "../texts/language.js";
import { ask, openSheet } from "./dialog.js";
import { el } from "./dom.js";
import { personAvatar, personName } from "./person.js";

/** @typedef {import("../chat.js").Chat} Chat */

/** Asks whether to block a user, and does it. @param {Chat} chat @param {string} user */
export function askToBlock(chat, user) {
  return ask({
    title: say("block_title", { user }),
    text: `${say("block_text")} ${say("block_told", { user })}`,
    action: say("block"),
    run: () => chat.blocks.add(user),
  });
}

/** Asks whether to unblock a user, and does it. @param {Chat} chat @param {string} user */
export function askToUnblock(chat, user) {
  return ask({
    title: say("unblock_title", { user }),
    text: say("unblock_text", { user }),
    action: say("unblock"),
    danger: false,
    run: () => chat.blocks.remove(user),
  });
}

/**
 * What stands in place of the composer while the user blocks the other one.
 *
 * @param {Chat} chat
 * @param {string} user
 */
export function blockedNote(chat, user) {
  return el(
    "div",
    { className: "read-only blocked-note", role: "status", hidden: true },
    el("p", { dir: "auto", textContent: say("you_blocked", { user }) }),
    el("button", {
      type: "button",
      className: "quiet",
      textContent: say("unblock"),
      "aria-label": say("unblock_user", { user }),
      onclick: () => askToUnblock(chat, user),
    }),
  );
}

/** Shows the people whom the user has blocked, in a dialog. @param {Chat} chat */
export function openBlocked(chat) {
  const people = new BlockedPeople(chat);
  return openSheet(say("blocked_people"), [people.node], () => people.close());
}

/** A list of the people whom the user has blocked, each with a button that unblocks. */
export class BlockedPeople {
  #chat;
  #listeners = new AbortController();
  #list = el("ul", { className: "members" });
  #hint = el("p", { className: "hint" });
  #error = el("p", { className: "form-error", role: "alert" });
  #more;
  /** @type {string|null} after whom the next page begins */
  #next = null;
  #busy = false;
  #again = false;

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
    this.#more = el("button", {
      type: "button",
      className: "quiet",
      textContent: say("show_more"),
      hidden: true,
      onclick: () => this.#load(this.#next),
    });
    this.node = el("section", { className: "blocked-people" }, this.#hint, this.#list, this.#error, this.#more);
    const { signal } = this.#listeners;
    chat.blocks.on("change", (block) => this.#changed(block), { signal });
    chat.people.on("change", () => this.#nameAll(), { signal });
    this.#hint.textContent = say("loading");
    this.#load(null);
  }

  /** Must be called when it is no longer shown. */
  close() {
    this.#listeners.abort();
  }

  /** @param {string|null} after the name after which the page begins; null: the list begins anew */
  async #load(after) {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.#error.textContent = "";
    try {
      const page = await this.#chat.blocks.page(after);
      if (after === null) this.#list.replaceChildren();
      this.#list.append(...page.blocks.map(({ user }) => this.#row(user)));
      this.#next = page.next;
      this.#more.textContent = say("show_more");
      this.#more.hidden = page.next === null;
      this.#count();
    } catch (thrown) {
      this.#error.textContent = sayProblem(thrown);
      if (!this.#list.childElementCount) this.#hint.textContent = "";
      this.#more.textContent = say("try_again");
      this.#more.hidden = false;
    } finally {
      this.#busy = false;
    }
    if (this.#again) {
      this.#again = false;
      this.#load(null);
    }
  }

  /** @param {import("../blocks.js").Block} block */
  #changed({ user, blocked }) {
    if (blocked) {
      this.#load(null);
      return;
    }
    this.#drop(user);
    if (this.#busy) this.#again = true; // the page under way may have it still
  }

  /** @param {string} user */
  #drop(user) {
    const row = this.#list.querySelector(`[data-user="${CSS.escape(user)}"]`);
    const focused = row?.contains(document.activeElement);
    const beside = row?.nextElementSibling ?? row?.previousElementSibling;
    row?.remove();
    this.#count();
    if (focused) /** @type {HTMLElement|null|undefined} */ (beside?.querySelector("button"))?.focus();
  }

  #count() {
    const none = !this.#list.childElementCount && this.#next === null;
    this.#hint.textContent = say(none ? "blocked_none" : "blocked_some");
  }

  /** @param {string} user */
  #row(user) {
    const button = el("button", {
      type: "button",
      className: "quiet",
      textContent: say("unblock"),
      "aria-label": say("unblock_user", { user }),
      onclick: async () => {
        button.disabled = true;
        this.#error.textContent = "";
        try {
          await this.#chat.blocks.remove(user);
          this.#drop(user); // the stream may be away
        } catch (thrown) {
          this.#error.textContent = sayProblem(thrown);
        } finally {
          button.disabled = false;
        }
      },
    });
    const row = el("li", {}, ...this.#named(user), button);
    row.dataset.user = user;
    return row;
  }

  /** How a user is shown. @param {string} user */
  #named(user) {
    const { people } = this.#chat;
    return [personAvatar(people, user), personName(user, people.called(user))];
  }

  /** Shows what people are called by now. */
  #nameAll() {
    for (const row of this.#list.children) {
      const { user = "" } = /** @type {HTMLElement} */ (row).dataset;
      row.replaceChildren(...this.#named(user), ...row.querySelectorAll(":scope > button"));
    }
  }
}
