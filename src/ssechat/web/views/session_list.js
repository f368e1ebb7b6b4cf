/** Where the user is signed in: browsers and programs, each of which can be signed out. */

import { exactTime, shortTime } from "../format.js";
import { requestError } from "../http.js";
import { say, sayCount, sayProblem } from "../texts/language.js";
import { deviceOf } from "../user_agent.js";
import { ask } from "./dialog.js";
import { el } from "./dom.js";

/** @typedef {import("../account_requests.js").Session} Session */

export class SessionList {
  #chat;
  #list = el("ul", { className: "sessions" });
  #others;
  #error = el("p", { className: "form-error", role: "alert" });
  /** @type {Session[]} */
  #sessions = [];
  #closing = new AbortController();

  /** @param {import("../chat.js").Chat} chat */
  constructor(chat) {
    this.#chat = chat;
    this.#others = el("button", {
      type: "button",
      className: "quiet",
      hidden: true,
      textContent: say("sign_out_elsewhere"),
      onclick: () => this.#endOthers(),
    });
    this.node = el("div", { className: "session-list" }, this.#list, this.#error, this.#others);
    this.#list.append(el("li", { className: "loading", textContent: say("loading_sessions") }));
    this.#load();
    // The form for the password stands in the same dialog.
    document.addEventListener("sessions-ended", () => this.#load(), { signal: this.#closing.signal });
  }

  /** Must be called when it is not shown any more. */
  close() {
    this.#closing.abort();
  }

  async #load() {
    try {
      this.#sessions = await this.#chat.client.account.sessions();
      this.#error.textContent = "";
    } catch (thrown) {
      this.#list.replaceChildren();
      this.#error.textContent = sayProblem(thrown);
      return;
    }
    const own = (/** @type {Session} */ { current }) => (current ? 0 : 1);
    const sorted = [...this.#sessions].sort((a, b) => own(a) - own(b));
    const none = el("li", { className: "hint", textContent: say("no_session") });
    this.#list.replaceChildren(...(sorted.length ? sorted.map((session) => this.#row(session)) : [none]));
    this.#others.hidden = this.#sessions.filter(({ current }) => !current).length < 2;
  }

  /** @param {Session} session */
  #row(session) {
    const { id, created_at, last_seen_at, user_agent, current } = session;
    const device = deviceOf(user_agent);
    const [begun, seen] = [new Date(created_at), new Date(last_seen_at)];
    const times = [
      say("signed_in_at", { when: shortTime(begun) }),
      ...(current ? [] : [say("session_seen", { when: shortTime(seen) })]),
    ];
    const row = el(
      "li",
      {},
      el(
        "div",
        { className: "lines" },
        el("span", { id: `device-${id}`, className: "device", title: user_agent, textContent: device }),
        el("span", {
          id: `times-${id}`,
          className: "hint",
          title: exactTime(begun),
          textContent: times.join(" · "),
        }),
      ),
      current
        ? el("span", { className: "role", textContent: say("this_one") })
        : el("button", {
            type: "button",
            className: "link",
            id: `end-${id}`,
            textContent: say("sign_out"),
            "aria-labelledby": `end-${id} device-${id} times-${id}`,
            onclick: () => this.#end([session], say("sign_device_out", { device })),
          }),
    );
    row.dataset.session = id;
    return row;
  }

  #endOthers() {
    const others = this.#sessions.filter(({ current }) => !current);
    this.#end(others, sayCount("sign_others_out", others.length));
  }

  /** @param {Session[]} sessions @param {string} title */
  #end(sessions, title) {
    ask({
      title,
      text: say("sign_out_warning"),
      action: say("sign_out"),
      run: async () => {
        try {
          for (const { id } of sessions) await this.#endOne(id);
        } finally {
          await this.#load();
        }
      },
    });
  }

  /** @param {string} id */
  async #endOne(id) {
    try {
      await this.#chat.client.account.endSession(id);
    } catch (thrown) {
      if (requestError(thrown).code !== "unknown_session") throw thrown; // it has ended meanwhile
    }
  }
}
