/** Shows the state of a lost connection. */

import { say } from "../texts/language.js";
import { announce, el, icon } from "./dom.js";

/** Milliseconds: a shorter interruption is not shown. */
const SHORT = 700;

/** @typedef {""|"offline"|"reconnecting"|"crowded"} State */

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
    this.#button = el("button", { type: "button", className: "link", textContent: say("try_now"), onclick: onRetry });
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
    const text = wanted && say(wanted);
    if (this.#shown && !wanted) announce(say("connected_again"));
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
