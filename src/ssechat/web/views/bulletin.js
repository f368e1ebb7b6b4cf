/** Shows what the server's operators tell everybody, above all else, until it is put away. */

import { Bulletins } from "../bulletins.js";
import { say } from "../texts/language.js";
import { announce, el, icon } from "./dom.js";

/** A line at the top of the page. */
export class BulletinView {
  #text = el("p");
  #link = el("a", { className: "link", target: "_blank", rel: "noopener noreferrer" });
  #button = el("button", { type: "button", className: "round", onclick: () => this.#dismiss() }, icon("close"));
  /** @type {Bulletins|null} */
  #bulletins = null;
  #followed = "";
  /** @type {import("../http.js").Http|null} */
  #http = null;
  #said = "";
  node = el(
    "section",
    { className: "bulletin", hidden: true },
    icon("horn"),
    el("div", {}, this.#text, this.#link),
    this.#button,
  );

  /**
   * Shows what is in a feed from now on, in the page's language.
   *
   * @param {string} feed its name, empty for none
   * @param {import("../http.js").Http} http the requests of who is signed in
   */
  follow(feed, http) {
    this.node.setAttribute("aria-label", say("bulletin"));
    this.#link.textContent = say("bulletin_more");
    this.#button.setAttribute("aria-label", say("bulletin_dismiss"));
    this.#button.title = say("bulletin_dismiss");
    if (feed === this.#followed && http === this.#http) return;
    this.#bulletins?.close();
    this.#bulletins = null;
    this.#followed = feed;
    this.#http = http;
    if (!feed) return this.#show(null);
    this.#bulletins = new Bulletins(http, feed);
    this.#bulletins.on("change", (bulletin) => this.#show(bulletin));
    this.#bulletins.start();
  }

  /** @param {import("../bulletins.js").Bulletin|null} bulletin */
  #show(bulletin) {
    this.node.hidden = bulletin === null;
    if (!bulletin) return;
    const { id, text, link } = bulletin;
    this.#text.textContent = text;
    this.#link.hidden = link === null;
    this.#link.href = link ?? "";
    if (id !== this.#said) announce(text);
    this.#said = id;
  }

  #dismiss() {
    this.#bulletins?.dismiss();
    // The focus was on the button, which is gone: it goes to a heading, and opens no keyboard.
    /** @type {NodeListOf<HTMLElement>} */
    const headings = document.querySelectorAll("h1[tabindex], h2[tabindex]");
    [...headings].find((heading) => heading.getClientRects().length)?.focus();
  }
}
