/** A few emojis to choose from. */

import { say } from "../texts/language.js";
import { el } from "./dom.js";
import { moveFocus, openBeside } from "./popover.js";

const COLUMNS = 6;
const EMOJIS = "👍 ❤️ 😂 🎉 😮 😢 🙏 👀 🔥 ✅ 👏 🤔 😍 🚀 💯 🙌 👎 😅 🥳 😎 🤝 💙 ☕ ❌".split(" ");

export class EmojiPicker {
  #box;
  #buttons;
  isOpen = false;

  /** @param {(emoji: string) => void} onChoose */
  constructor(onChoose) {
    this.#buttons = EMOJIS.map((emoji) =>
      el("button", {
        type: "button",
        textContent: emoji,
        onclick: () => {
          this.close();
          onChoose(emoji);
        },
      }),
    );
    this.#box = el(
      "div",
      {
        className: "popover emojis",
        popover: "auto",
        role: "dialog",
        "aria-label": say("choose_reaction"),
        onkeydown: (/** @type {KeyboardEvent} */ event) => moveFocus(event, this.#buttons, COLUMNS),
        onbeforetoggle: (/** @type {ToggleEvent} */ { newState }) => {
          this.isOpen = newState === "open";
        },
      },
      ...this.#buttons,
    );
    this.node = this.#box;
  }

  /** @param {HTMLElement} anchor */
  open(anchor) {
    openBeside(this.#box, anchor);
    this.#buttons[0]?.focus();
  }

  close() {
    if (this.isOpen) this.#box.hidePopover();
  }
}
