/** What stands above the first message: that there are more, that there are none, or that the conversation is none. */

import { isNone } from "../conversation.js";
import { language, say } from "../texts/language.js";
import { avatar, el, icon } from "./dom.js";

export class ThreadTop {
  #id;
  #people;
  #options;
  /** What is shown. */
  #shown = "";
  node = el("div", { className: "top" });

  /**
   * @param {string} id of the conversation
   * @param {import("../people.js").People} people
   * @param {import("./thread.js").Options} options
   */
  constructor(id, people, options) {
    this.#id = id;
    this.#people = people;
    this.#options = options;
  }

  /** @param {import("../conversation.js").Conversation} conversation @param {boolean} empty */
  update(conversation, empty) {
    const { state: progress, loaded, hasOlder, error: message, refusal: code } = conversation.thread;
    const begin = hasOlder ? "older" : empty ? "empty" : "begin";
    const state = isNone(conversation) ? "none" : progress === "failed" ? "failed" : loaded ? begin : "loading";
    const { title, note, empty: text, onBack } = this.#options;
    const group = this.#id.startsWith("g:");
    const named = state === "empty" && !group && !note;
    const called = named ? this.#people.called(title) : "";
    const picture = named ? this.#people.picture(title) : "";
    const shown = [state, called, picture].join(" ");
    if (this.#shown === shown) return;
    this.#shown = shown;
    this.node.dataset.state = state;
    this.node.replaceChildren();
    if (state === "none") {
      this.node.append(
        icon("search"),
        el("p", {
          role: "alert",
          textContent: group ? say("no_such_group") : say("nobody_called", { name: title }),
        }),
        el("button", { type: "button", className: "quiet", textContent: say("back_to_list"), onclick: onBack }),
      );
    } else if (state === "failed")
      this.node.append(el("p", { role: "alert", textContent: language.problem({ message, code }) }));
    else if (state === "empty")
      this.node.append(
        avatar(title, { note, group, called, picture }),
        el("p", { textContent: text(called || title) }),
      );
    else if (state !== "begin")
      this.node.append(el("p", { className: "loading", textContent: say("loading_messages") }));
  }
}
