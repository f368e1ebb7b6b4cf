/** What stands above the first message: that there are more, or that nothing has been written yet. */

import { avatar, el } from "./dom.js";

export class ThreadTop {
  #id;
  #options;
  node = el("div", { className: "top" });

  /** @param {string} id of the conversation @param {{title: string, note: boolean, empty: string}} options */
  constructor(id, options) {
    this.#id = id;
    this.#options = options;
  }

  /** @param {import("../thread.js").Thread} thread @param {boolean} empty */
  update({ state: progress, loaded, hasOlder, error }, empty) {
    const begin = hasOlder ? "older" : empty ? "empty" : "begin";
    const state = progress === "failed" ? "failed" : loaded ? begin : "loading";
    if (this.node.dataset.state === state) return;
    this.node.dataset.state = state;
    this.node.replaceChildren();
    const { title, note, empty: text } = this.#options;
    const group = this.#id.startsWith("g:");
    if (state === "failed") this.node.append(el("p", { role: "alert", textContent: error }));
    else if (state === "empty") this.node.append(avatar(title, { note, group }), el("p", { textContent: text }));
    else if (state !== "begin") this.node.append(el("p", { className: "loading", textContent: "Loading messages…" }));
  }
}
