/** A field for the names of users. */

import { requestError } from "../http.js";
import { canonicalName, isName } from "../ids.js";
import { say, sayProblem } from "../texts/language.js";
import { avatar, el, icon } from "./dom.js";
import { textField } from "./field.js";

/** Names that are typed one after the other, each checked on the server when Enter, a comma or a space ends it. */
export class PeopleField {
  #find;
  #known;
  #directory;
  #suggested;
  #field;
  #chips = el("ul", { className: "chips", "aria-label": say("chosen") });
  /** @type {Set<string>} */
  #names = new Set();
  /** @type {Map<string, Promise<boolean>>} names that are being checked */
  #checking = new Map();

  /**
   * @param {object} options
   * @param {string} options.label
   * @param {string} options.id
   * @param {string[]} options.known names to suggest
   * @param {(name: string) => Promise<{id: string}>} options.find throws if there is no such user
   * @param {import("../directory.js").Directory} [options.directory] finds names to suggest
   */
  constructor({ label, id, known, find, directory }) {
    this.#find = find;
    this.#known = known;
    this.#directory = directory;
    this.#field = textField(label, {
      id,
      name: "members",
      autocapitalize: "none",
      spellcheck: false,
      maxLength: 2_000,
      placeholder: say("names_one_by_one"),
      enterKeyHint: "enter",
      oninput: () => (/[\s,;]$/.test(this.#field.input.value) ? this.take() : this.#suggest()),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    });
    this.#suggested = el("datalist", { id: `${id}-known` }, ...known.map((value) => el("option", { value })));
    this.#field.input.setAttribute("list", this.#suggested.id);
    this.node = el("div", { className: "people-field" }, this.#field.node, this.#suggested, this.#chips);
  }

  /** The users who are chosen. */
  get names() {
    return [...this.#names];
  }

  /** Shows an error. @param {string} text */
  complain(text) {
    this.#field.complain(text);
  }

  clear() {
    this.#names.clear();
    this.#field.input.value = "";
    this.#render();
  }

  /** Takes what is typed. @returns {Promise<boolean>} whether all of it, and all that is being checked, are users */
  async take() {
    const { input } = this.#field;
    const typed = input.value.split(/[\s,;]+/).filter(Boolean);
    input.value = "";
    for (const name of typed) this.#add(canonicalName(name.replace(/^@/, "")));
    const taken = await Promise.all(this.#checking.values());
    return !taken.includes(false);
  }

  /** Adds the names that begin as what is typed to those that are suggested. */
  async #suggest() {
    const found = await this.#directory?.find(canonicalName(this.#field.input.value.trim().replace(/^@/, "")));
    if (!found) return;
    const labels = new Map(found.map(({ id, display_name }) => [id, display_name ?? ""]));
    const values = [...new Set([...this.#known, ...labels.keys()])];
    this.#suggested.replaceChildren(
      ...values.map((value) => el("option", { value, label: labels.get(value) || null })),
    );
  }

  /** @param {string} name */
  #add(name) {
    if (this.#names.has(name) || this.#checking.has(name)) return;
    const checked = this.#check(name).finally(() => {
      this.#checking.delete(name);
      this.#render();
    });
    this.#checking.set(name, checked);
    this.#render();
  }

  /** @param {string} name */
  async #check(name) {
    try {
      if (!isName(name)) throw new Error(say("name_wrong"));
      this.#names.add((await this.#find(name)).id);
      return true;
    } catch (thrown) {
      const { code } = requestError(thrown);
      const { input } = this.#field;
      input.value = [name, input.value].filter(Boolean).join(" ");
      this.complain(code === "unknown_user" ? say("nobody_called", { name }) : sayProblem(thrown));
      return false;
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { value } = this.#field.input;
    const last = this.names.at(-1);
    if (event.key === "Enter" && value.trim() && !event.isComposing) {
      event.preventDefault();
      this.take();
    } else if (event.key === "Backspace" && !value && last) {
      this.#names.delete(last);
      this.#render();
    }
  }

  #render() {
    const chip = (/** @type {string} */ name) =>
      el(
        "li",
        { className: "chip" },
        avatar(name),
        el("span", { textContent: name }),
        el(
          "button",
          {
            type: "button",
            title: say("leave_out", { name }),
            "aria-label": say("leave_out", { name }),
            onclick: () => {
              this.#names.delete(name);
              this.#render();
              this.#field.input.focus();
            },
          },
          icon("close"),
        ),
      );
    const checking = (/** @type {string} */ name) => el("li", { className: "chip checking", textContent: name });
    this.#chips.replaceChildren(...this.names.map(chip), ...[...this.#checking.keys()].map(checking));
  }
}
