/** People whom one has no conversation with, found by the first letters of their names. */

import { say } from "../texts/language.js";
import { el } from "./dom.js";
import { personAvatar, personName } from "./person.js";

export class FoundPeople {
  #chat;
  #onOpen;
  #list = el("ul", { className: "conversations" });
  #typed = "";

  /** @param {import("../chat.js").Chat} chat @param {(user: string) => void} onOpen */
  constructor(chat, onOpen) {
    this.#chat = chat;
    this.#onOpen = onOpen;
    this.node = el(
      "section",
      { className: "found-people", hidden: true, "aria-label": say("other_people") },
      el("h2", { className: "hint", textContent: say("other_people") }),
      this.#list,
    );
  }

  /** Must be called with what is typed, in its canonical form. @param {string} typed */
  async update(typed) {
    const before = this.#typed;
    if (typed === before) return;
    this.#typed = typed;
    if (!typed.startsWith(before) && !before.startsWith(typed)) this.node.hidden = true;
    const found = await this.#chat.directory.find(typed);
    if (found === null) return;
    this.#chat.people.learn(found);
    const known = new Set(this.#chat.list.map(({ conversation }) => this.#chat.store.other(conversation)));
    const others = found.filter(({ id }) => id !== this.#chat.user && !known.has(id));
    this.node.hidden = others.length === 0;
    this.#list.replaceChildren(
      ...others.map(({ id, display_name = "" }) =>
        el(
          "li",
          {},
          el(
            "button",
            { type: "button", className: "conversation-row", onclick: () => this.#onOpen(id) },
            personAvatar(this.#chat.people, id),
            personName(id, display_name),
          ),
        ),
      ),
    );
  }
}
