/** Says so when the connection is gone. */

import { announce, el, icon } from "./dom.js";

const PATIENCE = 700;

/** A line over everything, while there is something to tell. */
export class Banner {
  #text = el("span");
  #button;
  #timer = 0;
  #wanted = "";
  #shown = "";

  /** @param {() => void} onRetry asked to try now */
  constructor(onRetry) {
    this.#button = el("button", { type: "button", className: "link", textContent: "Try now", onclick: onRetry });
    this.node = el("div", { className: "banner", hidden: true }, icon("cloud"), this.#text, this.#button);
  }

  /** @param {{status: string, online: boolean}} state of the stream, and of the device's network */
  update({ status, online }) {
    const wanted = !online
      ? "offline"
      : status === "live" || status === "closed"
        ? ""
        : status === "crowded"
          ? "crowded"
          : "reconnecting";
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    clearTimeout(this.#timer);
    if (wanted === this.#shown) return;
    // What is over in a moment is not worth telling; a first connection may take a little longer.
    const patience = wanted === "reconnecting" && !this.#shown ? (status === "connecting" ? 3 : 1) * PATIENCE : 0;
    if (patience) this.#timer = setTimeout(() => this.#show(wanted), patience);
    else this.#show(wanted);
  }

  #show(wanted) {
    const text = {
      "": "",
      offline: "You are offline. What you write is kept and sent later.",
      reconnecting: "Reconnecting… What you write is kept and sent later.",
      crowded: "This chat is open in too many places, or the server is full. New messages do not show here for now.",
    }[wanted];
    if (this.#shown && !wanted) announce("Connected again.");
    if (wanted) announce(text);
    this.#shown = wanted;
    this.#text.textContent = text;
    this.#button.hidden = !wanted || wanted === "offline";
    this.node.hidden = !wanted;
    this.node.dataset.state = wanted;
  }
}
