/** The messages of a conversation, the place where they are scrolled to, and the tools on each. */

import { badge } from "../format.js";
import { avatar, el, icon, isWatched } from "./dom.js";
import { itemsOf } from "./items.js";
import { messageItem, separator } from "./message.js";
import { MessageCursor } from "./message_cursor.js";

const NEAR_BOTTOM = 60;
const NEAR_TOP = 600;

/**
 * @typedef {object} Options
 * @property {string} title
 * @property {string} empty what is said where nothing has been written
 * @property {boolean} note whether these are the user's notes
 * @property {import("./tools.js").Options} tools
 * @property {(clientMessageId: string) => void} onRewrite puts an unsent message back into the composer
 * @property {() => void} onLeave focuses the composer
 */

export class ThreadView {
  #chat;
  #id;
  #options;
  #cursor;
  #list = el("ol", { className: "messages" });
  #top = el("div", { className: "top" });
  #unread = el("span", { className: "badge", hidden: true });
  #scroller;
  #jump;
  /** @type {Map<string, {signature: string, node: HTMLElement}>} by the item's key */
  #nodes = new Map();
  /** @type {number|null} the seq after which the line "unread" is placed */
  #unreadAfter;
  #atBottom = true;
  #placed = false;
  #observer;

  /**
   * @param {import("../chat.js").Chat} chat
   * @param {string} id of the conversation
   * @param {Options} options
   */
  constructor(chat, id, options) {
    this.#chat = chat;
    this.#id = id;
    this.#options = options;
    this.#unreadAfter = chat.unread(chat.store.ensure(id)) > 0 ? chat.readUpTo(chat.store.ensure(id)) : null;
    this.#cursor = new MessageCursor(this.#list, options.tools, options.onLeave);
    this.#scroller = el(
      "div",
      { className: "scroller", tabIndex: 0, role: "region", "aria-label": `Messages, ${options.title}` },
      this.#top,
      this.#list,
    );
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#jump = el(
      "button",
      {
        type: "button",
        className: "jump",
        hidden: true,
        "aria-label": "To the newest message",
        onclick: () => {
          this.toNewest();
          options.onLeave();
        },
      },
      icon("down"),
      this.#unread,
    );
    this.node = el("div", { className: "viewport" }, this.#scroller, this.#jump, this.#cursor.picker);
    // A phone's keyboard and a growing text field reduce the height: the bottom must stay in view.
    this.#observer = new ResizeObserver(() => this.#atBottom && this.#stick());
    this.#observer.observe(this.#scroller);
  }

  close() {
    this.#observer.disconnect();
  }

  get #thread() {
    return this.#chat.store.ensure(this.#id).thread;
  }

  /** Takes the tools of a message away. */
  rest() {
    this.#cursor.rest();
  }

  /** Marks the conversation as read if its end is visible now. */
  seen() {
    const { loaded, hasNewer } = this.#thread;
    if (isWatched() && this.#atBottom && loaded && !hasNewer) this.#chat.markRead(this.#id);
    else this.#updateJump();
  }

  /** Scrolls to the newest message, which is loaded if need be, and takes all as read. */
  async toNewest() {
    this.#atBottom = true;
    this.#unreadAfter = null;
    if (this.#thread.hasNewer) await this.#chat.threads.reload(this.#id);
    this.#atBottom = true;
    this.render();
    this.#stick();
  }

  /**
   * Scrolls to a message and marks it for a moment.
   *
   * @param {number} seq
   * @returns {Promise<boolean>} whether it is there
   */
  async jumpTo(seq) {
    if (!this.#thread.get(seq)) await this.#chat.threads.around(this.#id, seq);
    this.#atBottom = false;
    this.render();
    const node = this.#cursor.message(seq);
    if (!node) return false;
    const { top, height } = node.getBoundingClientRect();
    const view = this.#scroller.getBoundingClientRect();
    this.#scroller.scrollTop += top - view.top - Math.max(0, (view.height - height) / 3);
    this.#measure();
    this.#updateJump(); // where nothing scrolled, no event says so
    this.#cursor.focus(node);
    node.classList.add("found");
    node.addEventListener("animationend", () => node.classList.remove("found"), { once: true });
    return true;
  }

  render() {
    const conversation = this.#chat.store.ensure(this.#id);
    const { thread } = conversation;
    const items = itemsOf({
      messages: thread.messages,
      pending: thread.hasNewer ? [] : this.#chat.outbox.entries(this.#id),
      user: this.#chat.user,
      named: conversation.type !== "dm",
      called: (user) => this.#chat.people.called(user),
      unreadAfter: this.#unreadAfter,
      thread,
      receipts: conversation.receipts ?? null,
    });
    const anchor = this.#anchor();
    this.#renderTop(thread, items.length === 0);
    this.#place(items);
    if (!this.#placed && thread.loaded) {
      this.#placed = true;
      this.#begin();
    } else if (this.#atBottom && !thread.hasNewer) {
      this.#stick();
    } else if (anchor?.node.isConnected) {
      this.#scroller.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
    }
    for (const item of items) {
      if (item.kind === "message" && item.quote?.state === "loading")
        this.#chat.threads.quote(this.#id, item.quote.seq);
    }
    this.seen();
    this.#updateJump();
    this.#loadMore();
  }

  /** Returns the first visible message and its position, which an update must not change. */
  #anchor() {
    if (this.#atBottom) return null;
    const edge = this.#scroller.getBoundingClientRect().top;
    for (const node of this.#list.children) {
      const { top, bottom } = node.getBoundingClientRect();
      if (bottom > edge && !node.classList.contains("separator")) return { node, top };
    }
    return null;
  }

  /** Updates the list, touching only what differs. @param {import("./items.js").Item[]} items */
  #place(items) {
    const nodes = new Map();
    for (const item of items) {
      const known = this.#nodes.get(item.key);
      if (known?.signature === item.signature) {
        nodes.set(item.key, known);
      } else {
        const node = this.#make(item);
        nodes.set(item.key, { signature: item.signature, node });
        if (known) this.#cursor.exchange(known.node, node);
      }
    }
    for (const [key, { node }] of this.#nodes) if (!nodes.has(key)) node.remove();
    let next = this.#list.firstElementChild;
    for (const { node } of nodes.values()) {
      if (node === next) next = node.nextElementSibling;
      else this.#list.insertBefore(node, next);
    }
    this.#nodes = nodes;
    this.#cursor.update();
  }

  /** @param {import("./items.js").Item} item */
  #make(item) {
    if (item.kind !== "message") return separator(item);
    const { clientMessageId = "", seq } = item;
    const { tools, onRewrite, onLeave } = this.#options;
    const node = messageItem(item, {
      user: this.#chat.user,
      retry: () => this.#chat.outbox.retry(clientMessageId),
      edit: () => onRewrite(clientMessageId),
      discard: () => {
        this.#chat.outbox.remove(clientMessageId);
        onLeave();
      },
      jump: (quoted) => this.jumpTo(quoted),
      react: (emoji) => tools.allowed(seq).react && tools.onReact(seq, emoji),
    });
    if (!seq) return node;
    node.dataset.seq = String(seq);
    node.tabIndex = -1;
    return node;
  }

  /** @param {import("../thread.js").Thread} thread @param {boolean} empty */
  #renderTop({ state: progress, loaded, hasOlder, error }, empty) {
    const begin = hasOlder ? "older" : empty ? "empty" : "begin";
    const state = progress === "failed" ? "failed" : loaded ? begin : "loading";
    if (this.#top.dataset.state === state) return;
    this.#top.dataset.state = state;
    this.#top.replaceChildren();
    const { title, note, empty: text } = this.#options;
    const group = this.#id.startsWith("g:");
    if (state === "failed") this.#top.append(el("p", { role: "alert", textContent: error }));
    else if (state === "empty") this.#top.append(avatar(title, { note, group }), el("p", { textContent: text }));
    else if (state !== "begin") this.#top.append(el("p", { className: "loading", textContent: "Loading messages…" }));
  }

  /** Scrolls to the first unread message, else to the end. */
  #begin() {
    const line = this.#nodes.get("unread")?.node;
    this.#stick();
    // Not scrollIntoView: it would scroll the page around the list as well.
    const above = line ? line.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top : 0;
    if (above < 0) this.#scroller.scrollTop += above;
    this.#measure();
  }

  #scrolled() {
    this.#measure();
    this.#loadMore();
    this.seen();
    this.#updateJump();
  }

  #measure() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    this.#atBottom = scrollTop + clientHeight > scrollHeight - NEAR_BOTTOM;
  }

  #loadMore() {
    if (!this.#placed) return;
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    const { hasOlder, loadingOlder, hasNewer, loadingNewer } = this.#thread;
    if (hasOlder && !loadingOlder && scrollTop < NEAR_TOP) this.#chat.threads.older(this.#id);
    const below = scrollHeight - clientHeight - scrollTop;
    if (hasNewer && !loadingNewer && below < NEAR_TOP) this.#chat.threads.newer(this.#id);
  }

  #stick() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #updateJump() {
    const unread = this.#chat.unread(this.#chat.store.ensure(this.#id));
    this.#jump.hidden = this.#atBottom && !this.#thread.hasNewer;
    this.#unread.hidden = unread === 0;
    this.#unread.textContent = badge(unread);
  }
}
