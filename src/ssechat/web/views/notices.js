/** Notifications of new messages while nobody looks. They are offered once a message was missed, and never on load. */

import { shownText } from "../markdown.js";
import { storage } from "../storage.js";
import { say } from "../texts/language.js";
import { el, icon, isWatched } from "./dom.js";

/** The storage key of an offer that was declined, for all who use this browser. */
const DECLINED = "ssechat:no-notices";
const LONGEST = 200;

export class Notices {
  #chat;
  #watched;
  #onOpen;

  /**
   * @param {import("../chat.js").Chat} chat
   * @param {import("./watched.js").Watched} watched
   * @param {(id: string) => void} onOpen opens a conversation
   */
  constructor(chat, watched, onOpen) {
    this.#chat = chat;
    this.#watched = watched;
    this.#onOpen = onOpen;
    const button = (/** @type {string} */ textContent, /** @type {() => void} */ onclick) =>
      el("button", { type: "button", className: "link", textContent, onclick });
    this.node = el(
      "div",
      { className: "offer", role: "region", "aria-label": say("notifications"), hidden: true },
      icon("bell"),
      el("span", { textContent: say("notify_offer") }),
      button(say("turn_on"), () => this.#ask()),
      button(say("no"), () => this.#decline()),
    );
  }

  /**
   * Handles a new message of somebody else, in a conversation that is not muted.
   *
   * @param {import("../client.js").Message} message
   */
  async arrived(message) {
    if (isWatched() || !("Notification" in window)) return;
    if (Notification.permission === "default") this.node.hidden = storage.get(DECLINED) !== null;
    if (Notification.permission !== "granted" || (await this.#watched.any())) return;
    const { conversation_id: id, sender, text } = message;
    const { type, name } = this.#chat.store.ensure(id);
    const who = this.#chat.people.name(sender);
    const body = shownText(text.slice(0, LONGEST));
    // Of several tabs all tell of it: what has the same tag is shown once.
    const shown = show(type === "group" && name ? say("sender_in", { user: who, group: name }) : who, {
      body,
      tag: `ssechat:${id}`,
    });
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
}

/** @param {string} title @param {NotificationOptions} options */
function show(title, options) {
  try {
    return new Notification(title, options);
  } catch {
    return null; // Chrome on Android shows those of a service worker only
  }
}
