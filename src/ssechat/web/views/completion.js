/** The names that complete an `@` in a text field. */

import { mentionAt, namesFor } from "../mentions.js";
import { say } from "../texts/language.js";
import { avatar, el } from "./dom.js";

/** A list of names above the field; the arrow keys choose, Enter or Tab takes, Escape closes. */
export class Completion {
  #input;
  #names;
  /** @type {string[]} */
  #shown = [];
  #chosen = 0;
  #start = 0;
  #typed = "";
  /** Whether it was closed with Escape, and nothing has been typed since. */
  #dismissed = false;

  /**
   * @param {HTMLTextAreaElement} input
   * @param {() => string[]} names whom one can mention; called when an `@` is typed
   */
  constructor(input, names) {
    this.#input = input;
    this.#names = names;
    this.node = el("ul", {
      id: "names",
      className: "names",
      role: "listbox",
      "aria-label": say("members"),
      hidden: true,
    });
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", "names");
    input.addEventListener("blur", () => this.hide());
    input.addEventListener("click", () => this.update());
    // A tap must not take the focus from the field.
    this.node.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  /** Must be called when the text has changed. */
  update() {
    this.#dismissed = false;
    this.#fit();
  }

  /** Must be called when the names may have changed. */
  refresh() {
    if (!this.#dismissed) this.#fit();
  }

  #fit() {
    const { value, selectionStart, selectionEnd } = this.#input;
    const typing = selectionStart === selectionEnd ? mentionAt(value, selectionStart) : null;
    if (!typing) {
      this.hide();
      return;
    }
    const before = this.#shown.join();
    this.#start = typing.start;
    this.#typed = typing.typed;
    this.#shown = namesFor(typing.typed, this.#names());
    if (this.#shown.join() !== before) this.#chosen = 0;
    this.#render();
  }

  hide() {
    if (this.node.hidden) return;
    this.#shown = [];
    this.#render();
  }

  /** Handles a key. @param {KeyboardEvent} event @returns {boolean} whether it was one for the list */
  key(event) {
    const count = this.#shown.length;
    if (!count || event.isComposing || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return false;
    const whole = count === 1 && this.#shown[0] === this.#typed;
    if (event.key === "Enter" && whole) return false; // there is nothing to complete
    if (event.key === "ArrowDown") this.#chosen = (this.#chosen + 1) % count;
    else if (event.key === "ArrowUp") this.#chosen = (this.#chosen + count - 1) % count;
    else if (event.key === "Enter" || event.key === "Tab") this.#take(this.#shown[this.#chosen] ?? "");
    else if (event.key === "Escape") this.#dismiss();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    this.#render();
    return true;
  }

  #dismiss() {
    this.#shown = [];
    this.#dismissed = true;
  }

  /** @param {string} name */
  #take(name) {
    const { value, selectionEnd } = this.#input;
    this.#shown = [];
    this.#input.setRangeText(
      `@${name}${/^\s/.test(value.slice(selectionEnd)) ? "" : " "}`,
      this.#start,
      selectionEnd,
      "end",
    );
    this.#input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #render() {
    this.node.hidden = this.#shown.length === 0;
    this.node.replaceChildren(
      ...this.#shown.map((name, i) =>
        el(
          "li",
          {
            id: `name-${i}`,
            role: "option",
            "aria-selected": String(i === this.#chosen),
            onclick: () => this.#take(name),
          },
          avatar(name),
          el("span", { textContent: name }),
        ),
      ),
    );
    if (this.#shown.length) this.#input.setAttribute("aria-activedescendant", `name-${this.#chosen}`);
    else this.#input.removeAttribute("aria-activedescendant");
  }
}
