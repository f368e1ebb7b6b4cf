/** The messages of a conversation, the place where they are scrolled to, and the tools on each. */

import { badge } from "../format.js";
import { say } from "../texts/language.js";
import { copyTexts } from "./copying.js";
import { el, icon, isWatched } from "./dom.js";
import { firstUnread, itemsOf } from "./items.js";
import { messageItem, separator } from "./message.js";
import { MessageCursor } from "./message_cursor.js";
import { ThreadSearch } from "./thread_search.js";
import { ThreadTop } from "./thread_top.js";
import { MessageWindow } from "./window.js";

/** Pixels: what is nearer to the end counts as being there. */
const NEAR_BOTTOM = 60;
/** Pixels: nearer to the edge of what is in the page, more is taken in, as many messages at a time. */
const NEAR_EDGE = 400;
const STEP = 20;
/** There is a message in the page for so many pixels of the list's height: with the lowest ones, a few screens. */
const LOW = 10;
/** As many, at least: more than are taken in at one edge and lie between the two, or each edge would undo the other. */
const LEAST = 70;

/**
 * @typedef {object} Options
 * @property {string} title
 * @property {(name: string) => string} empty what is said where nothing has been written, to whom with this name
 * @property {boolean} note whether these are the user's notes
 * @property {import("./tools.js").Options} tools
 * @property {(clientMessageId: string) => void} onRewrite puts an unsent message back into the composer
 * @property {() => void} onLeave focuses the composer
 * @property {() => void} onBack goes back to the list of conversations
 */

export class ThreadView {
  #chat;
  #id;
  #options;
  #cursor;
  #list = el("ol", { className: "messages" });
  #top;
  #unread = el("span", { className: "badge", hidden: true });
  #scroller;
  #jump;
  /** @type {Map<string, {signature: string, node: HTMLElement}>} by the item's key */
  #nodes = new Map();
  #window = new MessageWindow();
  /** @type {Set<string>} the keys of long messages that are shown whole */
  #unfolded = new Set();
  /** @type {number|null} the seq after which the line "unread" is placed */
  #unreadAfter;
  #atBottom = true;
  #placed = false;
  /** Whether more is being taken in: where that moves the list, its scrolling says whether still more is needed. */
  #extending = false;
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
    this.#cursor = new MessageCursor(this.#list, options.tools, {
      onLeave: options.onLeave,
      onEnd: (newest) => this.#toEnd(newest),
    });
    this.#top = new ThreadTop(id, chat.people, options);
    this.#scroller = el(
      "div",
      {
        className: "scroller",
        tabIndex: 0,
        role: "region",
        "aria-label": say("messages_of", { title: options.title }),
      },
      this.#top.node,
      this.#list,
    );
    copyTexts(this.#list);
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#jump = el(
      "button",
      {
        type: "button",
        className: "jump",
        hidden: true,
        "aria-label": say("to_newest"),
        onclick: () => {
          this.toNewest();
          options.onLeave();
        },
      },
      icon("down"),
      this.#unread,
    );
    this.search = new ThreadSearch(this.#list, {
      messages: () => this.#thread.messages,
      show: (seq) => this.jumpTo(seq, { focus: false }),
      onClose: () => options.onLeave(),
    });
    this.node = el("div", { className: "viewport" }, this.search.node, this.#scroller, this.#jump, this.#cursor.picker);
    // A phone's keyboard and a growing text field reduce the height: the bottom must stay in view.
    this.#observer = new ResizeObserver(() => {
      this.#window.most = Math.max(LEAST, Math.ceil(this.#scroller.clientHeight / LOW));
      if (this.#atBottom) this.#stick();
    });
    this.#observer.observe(this.#scroller);
  }

  close() {
    this.#observer.disconnect();
    this.search.dispose();
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
    this.#window.toNewest();
    if (this.#thread.hasNewer) await this.#chat.threads.reload(this.#id);
    this.#atBottom = true;
    this.render();
    this.#stick();
  }

  /**
   * Scrolls to a message and marks it for a moment.
   *
   * @param {number} seq
   * @param {{focus?: boolean}} options whether it gets the focus
   * @returns {Promise<boolean>} whether it is there
   */
  async jumpTo(seq, { focus = true } = {}) {
    if (!this.#thread.get(seq)) await this.#chat.threads.around(this.#id, seq);
    this.#atBottom = false;
    const { messages } = this.#thread;
    if (!this.#window.has(messages, seq)) this.#window.toMessage(messages, seq);
    this.render();
    const node = this.#cursor.message(seq);
    if (!node) return false;
    const { top, height } = node.getBoundingClientRect();
    const view = this.#scroller.getBoundingClientRect();
    this.#scroller.scrollTop += top - view.top - Math.max(0, (view.height - height) / 3);
    this.#measure();
    this.#updateJump(); // where nothing scrolled, no event says so
    if (focus) this.#cursor.focus(node);
    node.classList.add("found");
    node.addEventListener("animationend", () => node.classList.remove("found"), { once: true });
    return true;
  }

  render() {
    const { thread } = this.#chat.store.ensure(this.#id);
    if (!this.#placed && thread.loaded) {
      const unread = firstUnread(thread.messages, this.#unreadAfter, this.#chat.user);
      if (unread !== null) this.#window.toMessage(thread.messages, unread);
    }
    this.#window.stay(thread.messages);
    const anchor = this.#anchor();
    if (!this.#isSelecting) this.#window.trim(thread.messages, !this.#atBottom && this.#isInUpperHalf);
    const items = this.#items();
    this.#top.update(this.#chat.store.ensure(this.#id), items.length === 0);
    this.#place(items);
    if (!this.#placed && thread.loaded) {
      this.#placed = true;
      this.#begin();
    } else if (this.#atBottom && this.#window.follows && !thread.hasNewer) {
      this.#stick();
    } else if (anchor?.node.isConnected) {
      this.#scroller.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
    }
    for (const item of items) {
      if (item.kind === "message" && item.quote?.state === "loading") this.#chat.quotes.load(this.#id, item.quote.seq);
    }
    this.seen();
    this.#updateJump();
    this.#loadMore();
  }

  /** What stands in the page. */
  #items() {
    const { type, thread, receipts = null } = this.#chat.store.ensure(this.#id);
    const { messages, hasNewer } = thread;
    const { from, to } = this.#window.range(messages);
    const before = messages[from - 1];
    return itemsOf({
      messages: messages.slice(from, to),
      ...(before && { before }),
      pending: hasNewer || to < messages.length ? [] : this.#chat.outbox.entries(this.#id),
      user: this.#chat.user,
      named: type !== "dm",
      called: (user) => this.#chat.people.called(user),
      unreadFrom: firstUnread(messages, this.#unreadAfter, this.#chat.user),
      thread: this.#chat.quotes.of(this.#id),
      receipts,
    });
  }

  get #isInUpperHalf() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    return scrollTop < (scrollHeight - clientHeight) / 2;
  }

  /** Whether a text is being selected here: what is selected must stay. */
  get #isSelecting() {
    const selection = getSelection();
    return !selection?.isCollapsed && this.#list.contains(selection?.anchorNode ?? null);
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
    for (const [key, { node }] of this.#nodes) {
      if (nodes.has(key)) continue;
      if (node.contains(document.activeElement)) this.#scroller.focus({ preventScroll: true });
      node.remove();
    }
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
      unfolded: this.#unfolded,
      react: (emoji) => tools.allowed(seq).react && tools.onReact(seq, emoji),
    });
    if (!seq) return node;
    node.dataset.seq = String(seq);
    node.tabIndex = -1;
    return node;
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
    this.#atBottom = this.#window.follows && scrollTop + clientHeight > scrollHeight - NEAR_BOTTOM;
  }

  /** Takes in more messages near the edges of what is in the page; those that are not there yet are loaded. */
  #loadMore() {
    if (!this.#placed || this.#extending) return;
    const { messages, hasOlder, loadingOlder, hasNewer, loadingNewer } = this.#thread;
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    const above = scrollTop < NEAR_EDGE;
    const below = scrollHeight - clientHeight - scrollTop < NEAR_EDGE;
    const { from } = this.#window.range(messages);
    // One edge at a time: what is taken in here may move the other one.
    if (above && from > 0) this.#extend(-STEP);
    else if (above && hasOlder && !loadingOlder) this.#chat.threads.older(this.#id);
    else if (below && !this.#window.follows) this.#extend(STEP);
    else if (below && hasNewer && !loadingNewer) this.#chat.threads.newer(this.#id);
  }

  /** @param {number} count of messages to take in; negative for older ones */
  #extend(count) {
    const { messages } = this.#thread;
    if (!this.#window.extend(messages, count)) return;
    if (!this.#isSelecting) this.#window.trim(messages, count < 0);
    this.#extending = true;
    this.render();
    this.#extending = false;
  }

  /** Goes to an end of the messages that are loaded. @param {boolean} newest */
  #toEnd(newest) {
    const { messages } = this.#thread;
    const end = newest ? messages.at(-1) : messages[0];
    if (!end) return;
    this.#window.toMessage(messages, end.seq);
    this.#atBottom = newest;
    this.render();
    this.#cursor.focus(this.#cursor.message(end.seq));
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
