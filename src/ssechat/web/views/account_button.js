/** The user's own name, above the list: it opens the menu of the account. */

import { say } from "../texts/language.js";
import { el } from "./dom.js";
import { openMenu } from "./menu.js";
import { personAvatar } from "./person.js";

export class AccountButton {
  #chat;
  #signature = "";

  /** @param {import("../chat.js").Chat} chat @param {import("./menu.js").MenuItem[]} items of the menu */
  constructor(chat, items) {
    this.#chat = chat;
    this.node = el("button", {
      type: "button",
      className: "account",
      title: say("signed_in_as", { user: chat.user }),
      "aria-haspopup": "menu",
      onclick: () => openMenu(this.node, items),
    });
    this.update();
  }

  /** Must be called when the profile may have changed. */
  update() {
    const { people, user } = this.#chat;
    const signature = JSON.stringify([people.called(user), people.picture(user)]);
    if (signature === this.#signature) return;
    this.#signature = signature;
    const called = people.called(user);
    this.node.replaceChildren(
      personAvatar(people, user),
      el("bdi", { className: "called", textContent: called || user }),
      called ? el("span", { className: "handle", dir: "ltr", textContent: user }) : "",
    );
  }
}
