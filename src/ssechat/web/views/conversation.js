/** A conversation: its heading, its messages and the composer. */

import { badge } from "../format.js";
import { Composer } from "./composer.js";
import { announce, avatar, coalesce, el, icon, isWatched } from "./dom.js";
import { itemsOf } from "./items.js";
import { messageItem, separator } from "./message.js";

const NEAR_BOTTOM = 60;
const NEAR_TOP = 600;

/** The right column; on a phone, the second page. */
export class ConversationView {
  #chat;
  #id;
  #note;
  #title;
  #composer;
  #heading = el("h2", { dir: "auto", tabIndex: -1 });
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
   * @param {{onBack: () => void}} options
   */
  constructor(chat, id, { onBack }) {
    this.#chat = chat;
    this.#id = id;
    const conversation = chat.store.ensure(id);
    this.#unreadAfter = chat.unread(conversation) > 0 ? chat.reads.upTo(id) : null;
    this.#note = chat.store.partner(conversation) === chat.user;
    this.#title = this.#note ? "Notes to yourself" : chat.store.title(conversation);
    this.update = coalesce(() => this.#render());
    this.#composer = new Composer({
      onSend: (text) => this.#send(text),
      onDraft: (text) => chat.setDraft(id, text),
    });
    this.#composer.set({ text: chat.draft(id), label: this.#note ? "Note to yourself" : `Message to ${this.#title}` });
    this.#scroller = el(
      "div",
      { className: "scroller", tabIndex: 0, role: "region", "aria-label": `Messages, ${this.#title}` },
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
        onclick: () => this.#toBottom(),
      },
      icon("down"),
      this.#unread,
    );
    this.node = el(
      "main",
      { className: "conversation" },
      this.#header(onBack),
      el("div", { className: "viewport" }, this.#scroller, this.#jump),
      this.#composer.node,
    );
    // A phone's keyboard and a growing text field reduce the height: the bottom must stay in view.
    this.#observer = new ResizeObserver(() => this.#atBottom && this.#stick());
    this.#observer.observe(this.#scroller);
    this.#render();
  }

  /** Focuses the composer; on a phone, where the keyboard would open, the heading. */
  focus() {
    if (matchMedia("(pointer: coarse)").matches) this.#heading.focus({ preventScroll: true });
    else this.#composer.focus();
  }

  /** Announces a message of somebody else that arrived live. @param {import("../client.js").Message} message */
  arrived({ sender, text }) {
    announce(`${sender}: ${text}`);
  }

  /** Marks the conversation as read if its end is visible now. */
  seen() {
    if (isWatched() && this.#atBottom && this.#thread.loaded) this.#chat.markRead(this.#id);
    else this.#updateJump();
  }

  close() {
    this.#observer.disconnect();
  }

  get #thread() {
    return this.#chat.store.ensure(this.#id).thread;
  }

  /** @param {() => void} onBack */
  #header(onBack) {
    const back = {
      type: "button",
      className: "round back",
      title: "Back",
      "aria-label": "Back to conversations",
      onclick: onBack,
    };
    return el(
      "header",
      { className: "bar" },
      el("button", back, icon("back")),
      avatar(this.#title, { note: this.#note }),
      this.#heading,
    );
  }

  /** @param {string} text */
  #send(text) {
    this.#unreadAfter = null;
    this.#atBottom = true;
    this.#chat.write(this.#id, text);
    this.#render();
  }

  #render() {
    const conversation = this.#chat.store.ensure(this.#id);
    const thread = conversation.thread;
    const items = itemsOf({
      messages: thread.messages,
      pending: this.#chat.outbox.entries(this.#id),
      user: this.#chat.user,
      named: conversation.type !== "dm",
      unreadAfter: this.#unreadAfter,
    });
    this.#heading.textContent = this.#note ? this.#title : this.#chat.store.title(conversation);
    const anchor = this.#anchor();
    this.#renderTop(thread, items.length === 0);
    this.#place(items);
    if (!this.#placed && thread.loaded) {
      this.#placed = true;
      this.#begin();
    } else if (this.#atBottom) {
      this.#stick();
    } else if (anchor?.node.isConnected) {
      this.#scroller.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
    }
    this.seen();
    this.#updateJump();
    if (this.#placed && this.#scroller.scrollTop < NEAR_TOP) this.#older();
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
      nodes.set(
        item.key,
        known?.signature === item.signature ? known : { signature: item.signature, node: this.#make(item) },
      );
      if (known && known !== nodes.get(item.key)) known.node.replaceWith(nodes.get(item.key).node);
    }
    for (const [key, { node }] of this.#nodes) if (!nodes.has(key)) node.remove();
    let next = this.#list.firstElementChild;
    for (const { node } of nodes.values()) {
      if (node === next) next = node.nextElementSibling;
      else this.#list.insertBefore(node, next);
    }
    this.#nodes = nodes;
  }

  /** @param {import("./items.js").Item} item */
  #make(item) {
    if (item.kind !== "message") return separator(item);
    const { clientMessageId = "" } = item;
    const node = messageItem(item, {
      retry: () => this.#chat.outbox.retry(clientMessageId),
      edit: () => {
        this.#chat.outbox.remove(clientMessageId);
        this.#composer.insert(item.text ?? "");
      },
      discard: () => {
        this.#chat.outbox.remove(clientMessageId);
        this.focus();
      },
    });
    if (item.seq) node.dataset.seq = String(item.seq);
    return node;
  }

  /** @param {import("../thread.js").Thread} thread @param {boolean} empty */
  #renderTop(thread, empty) {
    const state =
      thread.state === "failed"
        ? "failed"
        : !thread.loaded
          ? "loading"
          : thread.hasOlder
            ? "older"
            : empty
              ? "empty"
              : "begin";
    if (this.#top.dataset.state === state) return;
    this.#top.dataset.state = state;
    this.#top.replaceChildren();
    if (state === "failed") {
      this.#top.append(el("p", { role: "alert", textContent: thread.error }));
    } else if (state === "loading" || state === "older") {
      this.#top.append(el("p", { className: "loading", textContent: "Loading messages…" }));
    } else if (state === "empty") {
      const text = this.#note
        ? "Only you can read what you write here. It is on all your devices."
        : `Nothing here yet. Say hello to ${this.#title}!`;
      this.#top.append(avatar(this.#title, { note: this.#note }), el("p", { textContent: text }));
    }
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
    if (this.#placed && this.#scroller.scrollTop < NEAR_TOP) this.#older();
    this.seen();
    this.#updateJump();
  }

  #measure() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    this.#atBottom = scrollTop + clientHeight > scrollHeight - NEAR_BOTTOM;
  }

  #older() {
    if (this.#thread.hasOlder && !this.#thread.loadingOlder) this.#chat.older(this.#id);
  }

  #stick() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #toBottom() {
    this.#atBottom = true;
    this.#unreadAfter = null;
    this.#stick();
    this.#render();
    this.focus();
  }

  #updateJump() {
    const unread = this.#chat.unread(this.#chat.store.ensure(this.#id));
    this.#jump.hidden = this.#atBottom;
    this.#unread.hidden = unread === 0;
    this.#unread.textContent = badge(unread);
  }
}
