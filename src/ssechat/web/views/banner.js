/** Shows the state of a lost connection. */

import { announce, el, icon } from "./dom.js";

/** Milliseconds: a shorter interruption is not shown. */
const SHORT = 700;

/** @typedef {""|"offline"|"reconnecting"|"crowded"} State */

/** @type {Record<State, string>} */
const TEXTS = {
  "": "",
  offline: "You are offline. What you write is kept and sent later.",
  reconnecting: "Reconnecting… What you write is kept and sent later.",
  crowded: "This chat is open in too many places, or the server is full. New messages do not show here for now.",
};

/** A line at the top of the page while the connection is interrupted. */
export class Banner {
  #text = el("span", { id: "connection" });
  #button;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {State} */
  #wanted = "";
  /** @type {State} */
  #shown = "";

  /** @param {() => void} onRetry called when the user wants to try now */
  constructor(onRetry) {
    this.#button = el("button", { type: "button", className: "link", textContent: "Try now", onclick: onRetry });
    this.node = el(
      "div",
      { className: "banner", role: "region", "aria-labelledby": this.#text.id, hidden: true },
      icon("cloud"),
      this.#text,
      this.#button,
    );
  }

  /** @param {{status: string, online: boolean}} state of the stream, and of the device's network */
  update({ status, online }) {
    const wanted = stateOf(status, online);
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    clearTimeout(this.#timer);
    if (wanted === this.#shown) return;
    // A first connection may take longer.
    const patience = wanted === "reconnecting" && !this.#shown ? (status === "connecting" ? 3 : 1) * SHORT : 0;
    if (patience) this.#timer = setTimeout(() => this.#show(wanted), patience);
    else this.#show(wanted);
  }

  /** @param {State} wanted */
  #show(wanted) {
    const text = TEXTS[wanted];
    if (this.#shown && !wanted) announce("Connected again.");
    if (wanted) announce(text);
    this.#shown = wanted;
    this.#text.textContent = text;
    this.#button.hidden = !wanted || wanted === "offline";
    this.node.hidden = !wanted;
    this.node.dataset.state = wanted;
  }
}

/** @param {string} status @param {boolean} online @returns {State} */
function stateOf(status, online) {
  if (!online) return "offline";
  if (status === "live" || status === "closed") return "";
  return status === "crowded" ? "crowded" : "reconnecting";
}
