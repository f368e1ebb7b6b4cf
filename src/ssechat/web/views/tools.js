/** The buttons on a message that is pointed at, focused or tapped: react, reply, edit, delete. */

import { say } from "../texts/language.js";
import { el, icon } from "./dom.js";
import { EmojiPicker } from "./emoji_picker.js";

/** @typedef {import("../client.js").Message} Message */

/**
 * What the user may do with a message.
 *
 * @typedef {object} Allowed
 * @property {boolean} react
 * @property {boolean} reply
 * @property {boolean} edit
 * @property {boolean} delete
 */

/**
 * @typedef {object} Options
 * @property {(seq: number) => Allowed} allowed
 * @property {(seq: number, emoji: string) => void} onReact
 * @property {(seq: number) => void} onReply
 * @property {(seq: number) => void} onEdit
 * @property {(seq: number) => void} onDelete
 */

/** Pixels of a message that a bar below it covers: between them there must be no gap for the pointer. */
const OVERLAP = 6;

/** One bar for all messages; it stands in the element of the message. */
export class MessageTools {
  #options;
  #buttons;
  #bar;
  /** The message that has the bar; 0 for none. */
  seq = 0;
  #moving = false;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.picker = new EmojiPicker((emoji) => options.onReact(this.seq, emoji));
    const button = (/** @type {string} */ label, /** @type {string} */ name, /** @type {() => void} */ onclick) =>
      el("button", { type: "button", className: "tool", title: label, "aria-label": label, onclick }, icon(name));
    this.#buttons = {
      react: button(say("react"), "smile", () => this.picker.open(this.#buttons.react)),
      reply: button(say("reply"), "reply", () => this.#leaveFor(options.onReply)),
      edit: button(say("edit"), "pencil", () => this.#leaveFor(options.onEdit)),
      delete: button(say("delete"), "bin", () => options.onDelete(this.seq)),
    };
    this.#bar = el(
      "div",
      { className: "tools", role: "toolbar", "aria-label": say("message") },
      ...Object.values(this.#buttons),
    );
  }

  /** Whether the bar is used with the keyboard, or its picker is open: then it does not follow the pointer. */
  get busy() {
    return this.picker.isOpen || this.#bar.querySelector(":focus-visible") !== null;
  }

  /** Puts the bar on a message. @param {HTMLElement} node @param {number} seq */
  show(node, seq) {
    const allowed = this.#options.allowed(seq);
    if (!Object.values(allowed).includes(true)) {
      this.hide();
      return;
    }
    for (const [name, button] of Object.entries(this.#buttons)) {
      button.hidden = !allowed[/** @type {keyof Allowed} */ (name)];
    }
    const focused = this.#bar.contains(document.activeElement) ? document.activeElement : null;
    this.seq = seq;
    if (this.#bar.parentElement === node) return;
    this.#moving = true; // moving takes the focus, which hides the bar otherwise
    node.append(this.#bar);
    this.#moving = false;
    this.#place(node);
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  }

  /** Places the bar above the message, or below it where that is out of view. @param {HTMLElement} node */
  #place(node) {
    this.#bar.style.top = "";
    const view = node.closest(".scroller")?.getBoundingClientRect();
    const { top, bottom } = node.getBoundingClientRect();
    const bar = this.#bar.getBoundingClientRect();
    const fits = view && bottom > view.top && bottom + bar.height <= view.bottom;
    if (fits && bar.top < view.top) this.#bar.style.top = `${bottom - OVERLAP - top}px`;
  }

  hide() {
    if (this.#moving) return;
    this.picker.close();
    this.#bar.remove();
    this.seq = 0;
  }

  /** Goes on in the composer. @param {(seq: number) => void} work */
  #leaveFor(work) {
    const { seq } = this;
    this.hide();
    work(seq);
  }

  /** Focuses the first button. */
  focus() {
    Object.values(this.#buttons)
      .find((button) => !button.hidden)
      ?.focus();
  }
}
