/** Notifications of new messages while nobody looks. They are offered once a message was missed, and never on load. */

import { shownText } from "../markdown.js";
import { storage } from "../storage.js";
import { el, icon, isWatched } from "./dom.js";

/** The storage key of an offer that was declined, for all who use this browser. */
const DECLINED = "ssechat:no-notices";
const LONGEST = 200;

export class Notices {
  #chat;
  #onOpen;
  #lock;
  #listeners = new AbortController();
  /** @type {(() => void)|null} gives back the lock that says that this tab is watched */
  #release = null;

  /** @param {import("../chat.js").Chat} chat @param {(id: string) => void} onOpen opens a conversation */
  constructor(chat, onOpen) {
    this.#chat = chat;
    this.#onOpen = onOpen;
    this.#lock = `ssechat:watched:${chat.user}`;
    const button = (/** @type {string} */ textContent, /** @type {() => void} */ onclick) =>
      el("button", { type: "button", className: "link", textContent, onclick });
    this.node = el(
      "div",
      { className: "offer", role: "region", "aria-label": "Notifications", hidden: true },
      icon("bell"),
      el("span", { textContent: "Be notified of new messages while you look elsewhere?" }),
      button("Turn on", () => this.#ask()),
      button("No", () => this.#decline()),
    );
    const { signal } = this.#listeners;
    for (const type of ["focus", "blur"]) window.addEventListener(type, () => this.#watch(), { signal });
    document.addEventListener("visibilitychange", () => this.#watch(), { signal });
    this.#watch();
  }

  close() {
    this.#listeners.abort();
    this.#release?.();
  }

  /**
   * Handles a new message of somebody else, in a conversation that is not muted.
   *
   * @param {import("../client.js").Message} message
   */
  async arrived(message) {
    if (isWatched() || !("Notification" in window)) return;
    if (Notification.permission === "default") this.node.hidden = storage.get(DECLINED) !== null;
    if (Notification.permission !== "granted" || (await this.#isWatchedElsewhere())) return;
    const { conversation_id: id, sender, text } = message;
    const { type, name } = this.#chat.store.ensure(id);
    const who = this.#chat.people.name(sender);
    const body = shownText(text.slice(0, LONGEST));
    // Of several tabs all tell of it: what has the same tag is shown once.
    const shown = show(type === "group" && name ? `${who} in ${name}` : who, { body, tag: `ssechat:${id}` });
    shown?.addEventListener("click", () => {
      window.focus();
      shown.close();
      this.#onOpen(id);
    });
  }

  async #ask() {
    this.node.hidden = true;
    await Notification.requestPermission();
  }

  #decline() {
    this.node.hidden = true;
    storage.set(DECLINED, "1");
  }

  /** Holds a lock while this tab is watched: so the others know. */
  #watch() {
    if (!isWatched()) {
      this.#release?.();
      this.#release = null;
    } else if (!this.#release && navigator.locks) {
      const held = new Promise((resolve) => {
        this.#release = () => resolve(null);
      });
      navigator.locks.request(this.#lock, { mode: "shared" }, () => held);
    }
  }

  async #isWatchedElsewhere() {
    const { held = [] } = (await navigator.locks?.query()) ?? {};
    return held.some(({ name }) => name === this.#lock);
  }
}

/** @param {string} title @param {NotificationOptions} options */
function show(title, options) {
  try {
    return new Notification(title, options);
  } catch {
    return null; // Chrome on Android shows those of a service worker only
  }
}
