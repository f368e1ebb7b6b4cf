/** The field for writing a message. */

import { showsNothing } from "../format.js";
import { el, icon } from "./dom.js";

/** A text field that grows. Enter sends, Shift+Enter begins a new line, and neither interferes with an input method. */
export class Composer {
  #input;
  #button;
  #onSend;
  #onDraft;

  /**
   * @param {object} options
   * @param {(text: string) => void} options.onSend
   * @param {(text: string) => void} options.onDraft called with every change
   */
  constructor({ onSend, onDraft }) {
    this.#onSend = onSend;
    this.#onDraft = onDraft;
    this.#input = el("textarea", {
      id: "composer",
      rows: 1,
      dir: "auto",
      placeholder: "Write a message",
      enterKeyHint: "send",
      autocomplete: "off",
      "aria-label": "Message",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      oninput: () => this.#changed(),
    });
    this.#button = el(
      "button",
      { type: "submit", className: "send", title: "Send", "aria-label": "Send" },
      icon("send"),
    );
    this.node = el(
      "form",
      {
        className: "composer",
        onsubmit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          this.#send();
        },
      },
      this.#input,
      this.#button,
    );
    new ResizeObserver(() => this.#fit()).observe(this.node);
    // A tap on the button must not take the focus: a phone would hide its keyboard.
    this.#button.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  /** Begins with a draft. @param {{text: string, label: string}} options */
  set({ text, label }) {
    this.#input.value = text;
    this.#input.setAttribute("aria-label", label);
    this.#fit();
  }

  /** Puts a text back, above the one in the field. @param {string} text */
  insert(text) {
    this.#input.value = [text, this.#input.value].filter(Boolean).join("\n");
    this.#changed();
    this.#input.focus();
  }

  focus() {
    this.#input.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.isComposing || event.keyCode === 229) return; // Enter chooses a candidate of an input method
    event.preventDefault();
    this.#send();
  }

  #send() {
    const text = this.#input.value;
    if (showsNothing(text)) return;
    this.#input.value = "";
    this.#changed();
    this.#input.focus();
    this.#onSend(text);
  }

  #changed() {
    this.#fit();
    this.#onDraft(this.#input.value);
  }

  #fit() {
    this.#button.disabled = showsNothing(this.#input.value);
    const { style, offsetHeight, clientHeight } = this.#input;
    style.height = "auto";
    style.height = `${this.#input.scrollHeight + offsetHeight - clientHeight}px`;
  }
}
