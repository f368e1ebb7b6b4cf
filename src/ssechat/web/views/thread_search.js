/** The search in the messages that are loaded: the browser's own would find only what is in the page. */

import { say } from "../texts/language.js";
import { roundButton } from "./dialog.js";
import { el, icon } from "./dom.js";

const NAME = "found";

/**
 * @typedef {object} Options
 * @property {() => import("../client.js").Message[]} messages those that are loaded, ascending
 * @property {(seq: number) => Promise<boolean>} show scrolls to a message
 * @property {() => void} onClose
 */

export class ThreadSearch {
  #options;
  #list;
  #input;
  #count = el("span", { className: "count", role: "status" });
  #watch = new MutationObserver(() => this.#mark());
  /** @type {number[]} the seqs of what was found, the newest first */
  #found = [];
  #at = 0;

  /** @param {HTMLElement} list the messages in the page @param {Options} options */
  constructor(list, options) {
    this.#list = list;
    this.#options = options;
    this.#input = el("input", {
      type: "search",
      placeholder: say("find_here"),
      autocomplete: "off",
      enterKeyHint: "search",
      maxLength: 200,
      "aria-label": say("find_here"),
      oninput: () => this.#find(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    });
    this.node = el(
      "search",
      { className: "thread-search", hidden: true },
      el("div", { className: "input" }, icon("search"), this.#input, this.#count),
      roundButton(say("older"), "up", () => this.#go(1)),
      roundButton(say("newer"), "down", () => this.#go(-1)),
      roundButton(say("close"), "close", () => this.close()),
    );
  }

  /** Shows the field. @returns {boolean} false if it has the focus already: then the browser's search is wanted */
  open() {
    if (document.activeElement === this.#input) return false;
    this.node.hidden = false;
    this.#input.focus();
    this.#input.select();
    this.#watch.observe(this.#list, { childList: true });
    if (this.#input.value) this.#find();
    return true;
  }

  close() {
    if (this.node.hidden) return;
    this.node.hidden = true;
    this.dispose();
    this.#options.onClose();
  }

  /** Takes what was marked away. */
  dispose() {
    this.#watch.disconnect();
    globalThis.CSS.highlights?.delete(NAME);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" || event.key === "ArrowUp") this.#go(event.shiftKey ? -1 : 1);
    else if (event.key === "ArrowDown") this.#go(-1);
    else return;
    event.preventDefault();
  }

  get #wanted() {
    return this.#input.value.trim().toLowerCase();
  }

  #find() {
    const wanted = this.#wanted;
    const fits = (/** @type {import("../client.js").Message} */ { text }) => text?.toLowerCase().includes(wanted);
    this.#found = wanted
      ? this.#options
          .messages()
          .filter(fits)
          .map(({ seq }) => seq)
          .reverse()
      : [];
    this.#at = 0;
    this.#show();
  }

  /** @param {number} step to older ones */
  #go(step) {
    const count = this.#found.length;
    if (!count) return;
    this.#at = (this.#at + step + count) % count;
    this.#show();
  }

  async #show() {
    const seq = this.#found[this.#at];
    const nothing = this.#wanted ? say("nothing_loaded") : "";
    this.#count.textContent = seq ? say("found_at", { at: this.#at + 1, all: this.#found.length }) : nothing;
    if (seq) await this.#options.show(seq);
    this.#mark();
  }

  /** Marks what was found in those messages that are in the page. */
  #mark() {
    if (!globalThis.CSS.highlights) return;
    const wanted = this.#wanted;
    const texts = wanted ? [...this.#list.querySelectorAll(".text")] : [];
    CSS.highlights.set(NAME, new Highlight(...texts.flatMap((node) => rangesOf(node, wanted))));
  }
}

/** Where a word stands in an element. @param {Element} node @param {string} wanted in lower case */
function rangesOf(node, wanted) {
  const ranges = [];
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const lower = text.nodeValue?.toLowerCase() ?? "";
    if (lower.length !== text.nodeValue?.length) continue; // then it says nothing about places
    for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length)) {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + wanted.length);
      ranges.push(range);
    }
  }
  return ranges;
}
