/** The quick way to another conversation: type a part of its name, and press Enter. */

import { isNone } from "../conversation.js";
import { requestError } from "../http.js";
import { canonicalName, isName } from "../ids.js";
import { say, sayProblem } from "../texts/language.js";
import { faceOf, isNotes, titleOf } from "./conversation_summary.js";
import { avatar, el, icon } from "./dom.js";

const MOST = 8;

/**
 * @typedef {object} Choice
 * @property {string} label
 * @property {() => HTMLElement|SVGElement} face makes what stands before the label
 * @property {() => void|Promise<void>} run
 */

/**
 * Opens the switcher; it goes away once something is chosen, or not.
 *
 * @param {import("../chat.js").Chat} chat
 * @param {(id: string) => void} onOpen
 */
export function openSwitcher(chat, onOpen) {
  new Switcher(chat, onOpen);
}

class Switcher {
  #chat;
  #onOpen;
  #dialog;
  #input;
  #error = el("p", { className: "form-error", role: "alert" });
  #list = el("ul", { id: "switch-to", role: "listbox", "aria-label": say("conversations") });
  /** @type {Choice[]} */
  #choices = [];
  #chosen = 0;

  /** @param {import("../chat.js").Chat} chat @param {(id: string) => void} onOpen */
  constructor(chat, onOpen) {
    this.#chat = chat;
    this.#onOpen = onOpen;
    this.#input = el("input", {
      type: "text",
      role: "combobox",
      placeholder: say("go_to"),
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: false,
      maxLength: 128,
      "aria-label": say("go_to"),
      "aria-expanded": "true",
      "aria-controls": "switch-to",
      "aria-autocomplete": "list",
      oninput: () => this.#find(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    });
    this.#dialog = el(
      "dialog",
      {
        className: "dialog switcher",
        "aria-label": say("go_to"),
        onclose: () => this.#dialog.remove(),
        onclick: (/** @type {MouseEvent} */ { target }) => target === this.#dialog && this.#dialog.close(),
      },
      el("div", { className: "input" }, icon("search"), this.#input),
      this.#error,
      this.#list,
    );
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#find();
  }

  #find() {
    const typed = canonicalName(this.#input.value.trim());
    const listed = this.#chat.list.filter(({ conversation }) => !isNone(conversation));
    const known = listed.map(({ conversation }) => {
      const { id, type } = conversation;
      const look = {
        note: isNotes(this.#chat, conversation),
        group: type === "group",
        ...faceOf(this.#chat, conversation),
      };
      const face = () => avatar(titleOf(this.#chat, conversation), look);
      return { label: this.#title(conversation), face, run: () => this.#open(id), id };
    });
    const fits = (/** @type {{label: string, id: string}} */ { label, id }) =>
      label.toLowerCase().includes(typed) || (id.startsWith("dm:") && id.includes(typed));
    // Without a word, the one before this one is what somebody goes back to.
    const found = known.filter((one) => (typed ? fits(one) : one.id !== this.#chat.openId));
    this.#choices = found.slice(0, MOST);
    const named = known.some(({ id }) => id.slice("dm:".length).split(":").includes(typed));
    if (isName(typed) && !named) {
      this.#choices.push({
        label: say("write_to", { user: typed }),
        face: () => icon("pencil"),
        run: () => this.#begin(typed),
      });
    }
    this.#chosen = 0;
    this.#error.textContent = "";
    this.#render();
  }

  /** @param {import("../conversation.js").Conversation} conversation */
  #title(conversation) {
    const { called } = faceOf(this.#chat, conversation);
    const title = titleOf(this.#chat, conversation);
    return called && called !== title ? `${called} (${title})` : title;
  }

  /** @param {string} id */
  #open(id) {
    this.#dialog.close();
    this.#onOpen(id);
  }

  /** @param {string} name */
  async #begin(name) {
    try {
      const { id } = await this.#chat.client.users.get(name);
      if (this.#dialog.isConnected) this.#open(this.#chat.direct(id));
    } catch (thrown) {
      const problem = requestError(thrown);
      const nobody = problem.code === "unknown_user";
      this.#error.textContent = nobody ? say("nobody_called", { name }) : sayProblem(problem);
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return;
    const count = this.#choices.length;
    if (event.key === "Enter") this.#choices[this.#chosen]?.run();
    else if (event.key === "ArrowDown" && count) this.#chosen = (this.#chosen + 1) % count;
    else if (event.key === "ArrowUp" && count) this.#chosen = (this.#chosen + count - 1) % count;
    else return;
    event.preventDefault();
    this.#render();
  }

  #render() {
    this.#list.replaceChildren(
      ...this.#choices.map(({ label, face, run }, i) =>
        el(
          "li",
          { id: `switch-${i}`, role: "option", "aria-selected": String(i === this.#chosen), onclick: run },
          face(),
          el("span", { dir: "auto", textContent: label }),
        ),
      ),
    );
    this.#list.hidden = this.#choices.length === 0;
    if (this.#choices.length) this.#input.setAttribute("aria-activedescendant", `switch-${this.#chosen}`);
    else this.#input.removeAttribute("aria-activedescendant");
  }
}
