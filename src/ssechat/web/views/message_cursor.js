/** The message that is pointed at, focused or tapped: it has the tools, and the keys go from it to others. */

import { MessageTools } from "./tools.js";

/**
 * Of all messages, Tab leads to one and its buttons only: otherwise the way to the composer would be long. From it, the
 * arrow keys go to the others, Enter to its tools, and Escape leaves the list.
 */
export class MessageCursor {
  #list;
  #tools;
  #options;
  /** @type {HTMLElement|null} the message that Tab leads to */
  #current = null;

  /**
   * @param {HTMLElement} list whose items have `data-seq` where they are messages
   * @param {import("./tools.js").Options} tools
   * @param {object} options
   * @param {() => void} options.onLeave
   * @param {(newest: boolean) => void} options.onEnd focuses the newest of all messages, or the oldest
   */
  constructor(list, tools, options) {
    this.#list = list;
    this.#tools = new MessageTools(tools);
    this.#options = options;
    list.addEventListener("pointerover", (event) => {
      if (event.pointerType === "mouse" && !this.#tools.busy) this.#showTools(messageAt(event));
    });
    list.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType === "mouse" && !this.#tools.busy) this.#tools.hide();
    });
    list.addEventListener("click", (event) => {
      if (!(event.target instanceof Element) || event.target.closest("a, button")) return;
      if (/** @type {PointerEvent} */ (event).pointerType !== "mouse") this.#showTools(messageAt(event));
    });
    list.addEventListener("focusin", (event) => this.#focused(event));
    list.addEventListener("focusout", (event) => this.#blurred(event));
    list.addEventListener("keydown", (event) => this.#key(event, messageAt(event)));
  }

  /** The element of the picker, which must be in the page. */
  get picker() {
    return this.#tools.picker.node;
  }

  /** Returns the element of a message. @param {number} seq */
  message(seq) {
    return this.#messages.find((node) => node.dataset.seq === String(seq));
  }

  /** Must be called after the list has changed: until one goes to a message, Tab leads to the newest. */
  update() {
    if (this.#current?.isConnected && this.#list.contains(document.activeElement)) return;
    this.#setCurrent(this.#messages.at(-1) ?? null);
  }

  /** Takes the tools away, as one has gone on to something else. */
  rest() {
    if (!this.#tools.picker.isOpen) this.#tools.hide();
  }

  /** Focuses a message. @param {HTMLElement|undefined} node */
  focus(node) {
    if (!node) return;
    this.#setCurrent(node);
    node.focus();
  }

  /**
   * Puts a message's new element in place of the old one; the tools and the focus stay.
   *
   * @param {HTMLElement} old
   * @param {HTMLElement} node
   */
  exchange(old, node) {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const emoji = focused?.closest(".reaction")?.firstElementChild?.textContent;
    const { seq } = this.#tools;
    old.after(node);
    if (seq && seq === Number(node.dataset.seq)) this.#tools.show(node, seq);
    if (this.#current === old) this.#setCurrent(node);
    old.remove();
    if (!focused || node.contains(document.activeElement)) return;
    const again = [...node.querySelectorAll(".reaction")].find((one) => one.firstElementChild?.textContent === emoji);
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
    else node.focus({ preventScroll: true });
  }

  /** @param {FocusEvent} event */
  #focused(event) {
    const node = messageAt(event);
    if (!node) return;
    this.#setCurrent(node);
    if (node.matches(":focus-visible") || event.target !== node) this.#showTools(node);
  }

  /** @param {FocusEvent} event */
  #blurred({ relatedTarget }) {
    const stays = relatedTarget instanceof Node && this.#list.contains(relatedTarget);
    if (!stays && !this.#tools.picker.isOpen && !this.#list.matches(":hover")) this.#tools.hide();
  }

  /** @param {HTMLElement|null} node */
  #showTools(node) {
    if (node) this.#tools.show(node, Number(node.dataset.seq));
    else this.#tools.hide();
  }

  /** @param {KeyboardEvent} event @param {HTMLElement|null} node */
  #key(event, node) {
    if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && !this.#tools.picker.isOpen) {
      this.#options.onLeave();
      this.update();
    }
    if (event.target !== node) return;
    const messages = this.#messages;
    const i = messages.indexOf(node);
    const wanted = { ArrowUp: i - 1, ArrowDown: i + 1 }[event.key];
    if (wanted !== undefined) this.focus(messages[wanted]);
    else if (event.key === "Home" || event.key === "End") this.#options.onEnd(event.key === "End");
    else if (event.key === "Enter") {
      this.#showTools(node);
      this.#tools.focus();
    } else return;
    event.preventDefault();
  }

  get #messages() {
    return /** @type {HTMLElement[]} */ ([...this.#list.querySelectorAll("li[data-seq]")]);
  }

  /** @param {HTMLElement|null} node */
  #setCurrent(node) {
    if (this.#current) reach(this.#current, -1);
    this.#current = node;
    if (node) reach(node, 0);
  }
}

/** Lets Tab lead to a message and its buttons, or not. @param {HTMLElement} node @param {-1|0} tabIndex */
function reach(node, tabIndex) {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (
    node.querySelectorAll("button.quote, button.reaction, button.state")
  );
  for (const one of [node, ...buttons]) one.tabIndex = tabIndex;
}

/** The message in which an event happened. @param {Event} event */
function messageAt({ target }) {
  return target instanceof Element ? /** @type {HTMLElement|null} */ (target.closest("li[data-seq]")) : null;
}
