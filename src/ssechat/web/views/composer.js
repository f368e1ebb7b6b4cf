/** The field for writing a message, an answer to one, or a change of one. */

import { showsNothing } from "../format.js";
import { shownText } from "../markdown.js";
import { say, sayProblem } from "../texts/language.js";
import { Completion } from "./completion.js";
import { roundButton } from "./dialog.js";
import { el, icon } from "./dom.js";

/** @typedef {{kind: "edit"|"reply", title: string, excerpt: string}} Mode what a text is for, if not a new message */

/**
 * @typedef {object} Options
 * @property {(text: string) => Promise<void>|void} onSend if it fails, the text stays and the reason is shown
 * @property {(text: string) => void} onDraft called with every change of a text that is not an edit
 * @property {() => void} onEnd called when an edit or an answer is over
 * @property {() => void} onEditLast called when the last own message is to be edited
 * @property {() => string[]} names whom one can mention
 */

/** Whether a text field grows by itself: to measure its text would lay out the page with every key. */
const GROWS = CSS.supports("field-sizing", "content");

/** Whether fingers write: their keyboards have no Shift+Enter. */
const isTouched = () => matchMedia("(pointer: coarse)").matches;

/**
 * A text field that grows. Enter sends and Shift+Enter begins a new line, and neither interferes with an input method.
 * On a phone Enter begins a new line, and only the button sends; Ctrl+Enter sends everywhere.
 */
export class Composer {
  #options;
  #input;
  #button;
  #completion;
  #mode = el("div", { className: "mode", hidden: true });
  #error = el("p", { className: "form-error", role: "alert" });
  /** @type {"edit"|"reply"|null} */
  #kind = null;
  /** The text that an edit has replaced for a time. */
  #kept = "";
  /** Whether an input method composes. */
  #composing = false;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#input = el("textarea", {
      id: "composer",
      rows: 1,
      dir: "auto",
      placeholder: say("write_message"),
      enterKeyHint: isTouched() ? "enter" : "send",
      autocomplete: "off",
      "aria-label": say("message"),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      oninput: () => this.#changed(),
    });
    for (const [type, composing] of /** @type {const} */ ([
      ["compositionstart", true],
      ["compositionend", false],
    ])) {
      this.#input.addEventListener(type, () => {
        this.#composing = composing;
      });
    }
    this.#completion = new Completion(this.#input, options.names);
    this.#button = el(
      "button",
      { type: "submit", className: "send", title: say("send"), "aria-label": say("send") },
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
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key === "Escape" && this.#kind && !event.isComposing && !event.defaultPrevented) this.#cancel();
        },
      },
      this.#completion.node,
      this.#mode,
      this.#error,
      this.#input,
      this.#button,
    );
    if (!GROWS) new ResizeObserver(() => this.#fit()).observe(this.node);
    // A tap on the button must not take the focus: a phone would hide its keyboard.
    this.#button.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  /** What is being written. */
  get text() {
    return this.#input.value;
  }

  /** Begins with a draft. @param {{text: string, label: string}} options */
  set({ text, label }) {
    this.#input.value = text;
    this.#input.setAttribute("aria-label", label);
    this.#fit();
  }

  /** Shows the draft as it is now, but disturbs no edit, and nobody who composes. @param {string} text */
  replaceDraft(text) {
    if (this.#composing) return;
    if (this.#kind === "edit") this.#kept = text;
    else if (this.#input.value !== text) this.#input.value = text;
    this.#fit();
  }

  /** Puts a text back, above the one in the field. @param {string} text */
  insert(text) {
    this.#input.value = [text, this.#input.value].filter(Boolean).join("\n");
    this.#changed();
    this.#input.focus();
  }

  /**
   * Begins an answer, or an edit of a text.
   *
   * @param {Mode} mode
   * @param {{text?: string, focus?: boolean}} options
   */
  begin({ kind, title, excerpt: written }, { text, focus = true } = {}) {
    const excerpt = shownText(written);
    this.end();
    this.#kind = kind;
    this.#mode.replaceChildren(
      icon(kind === "edit" ? "pencil" : "reply"),
      el("p", {}, el("strong", { textContent: title }), el("span", { dir: "auto", textContent: excerpt })),
      roundButton(say("cancel"), "close", () => this.#cancel()),
    );
    this.#mode.hidden = false;
    if (text !== undefined) {
      this.#kept = this.#input.value;
      this.#input.value = text;
    }
    this.#fit();
    if (focus) this.#input.focus();
  }

  /** Ends an edit or an answer; what was being written before an edit is there again. */
  end() {
    if (this.#kind === "edit") this.#input.value = this.#kept;
    this.#kept = "";
    this.#kind = null;
    this.#mode.hidden = true;
    this.#error.textContent = "";
    this.#fit();
  }

  /** Shows the names that fit, if they have changed. */
  updateNames() {
    if (document.activeElement === this.#input) this.#completion.refresh();
  }

  focus() {
    this.#input.focus();
  }

  #cancel() {
    this.end();
    this.#options.onEnd();
    this.#input.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || event.keyCode === 229) return; // Enter chooses a candidate of an input method
    if (this.#completion.key(event) || event.altKey || event.shiftKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key === "Enter") this.#send();
      return;
    }
    if (event.key === "ArrowUp" && !this.#input.value && !this.#kind) this.#options.onEditLast();
    else if (event.key === "Enter" && !isTouched()) this.#send();
    else return;
    event.preventDefault();
  }

  async #send() {
    const text = this.#input.value;
    if (showsNothing(text) || this.#input.readOnly) return;
    this.#error.textContent = "";
    if (this.#kind !== "edit") {
      this.#input.value = "";
      this.#changed();
      this.#input.focus();
      this.#options.onSend(text);
      return;
    }
    this.#input.readOnly = true;
    try {
      await this.#options.onSend(text);
      if (this.#kind) this.#cancel();
    } catch (thrown) {
      this.#error.textContent = sayProblem(thrown);
    } finally {
      this.#input.readOnly = false;
    }
  }

  #changed() {
    this.#fit();
    this.#completion.update();
    if (this.#kind !== "edit") this.#options.onDraft(this.#input.value);
  }

  #fit() {
    this.#button.disabled = showsNothing(this.#input.value);
    if (GROWS) return;
    const { style, offsetHeight, clientHeight } = this.#input;
    style.height = "auto";
    style.height = `${this.#input.scrollHeight + offsetHeight - clientHeight}px`;
  }
}
