/** The invitation links of a group. */

import { exactTime, shortDate } from "../format.js";
import { say, sayCount, sayProblem } from "../texts/language.js";
import { ask } from "./dialog.js";
import { announce, el } from "./dom.js";

/** @typedef {import("../client.js").Invite} Invite */

const DAY = 86_400;

export class Invites {
  #client;
  #id;
  #list = el("ul", { className: "invite-list" });
  #error = el("p", { className: "form-error", role: "alert" });
  #made = el("div", { className: "made", hidden: true });
  #expires = select(say("expires_after"), [
    [String(7 * DAY), sayCount("days", 7)],
    [String(DAY), sayCount("days", 1)],
    [String(30 * DAY), sayCount("days", 30)],
  ]);
  #uses = select(say("can_be_used"), [
    ["", say("any_times")],
    ["1", sayCount("times", 1)],
    ["10", sayCount("times", 10)],
    ["100", sayCount("times", 100)],
  ]);
  #shown = false;

  /** @param {import("../client.js").ChatClient} client @param {string} id of the group */
  constructor(client, id) {
    this.#client = client;
    this.#id = id;
    const form = el(
      "form",
      {
        className: "new-invite",
        onsubmit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          this.#trying(() => this.#create());
        },
      },
      this.#expires.node,
      this.#uses.node,
      el("button", { type: "submit", className: "quiet", textContent: say("create_link") }),
    );
    this.node = el(
      "section",
      { className: "invites", hidden: true },
      el("h3", { textContent: say("invitation_links") }),
      this.#list,
      form,
      this.#made,
      this.#error,
    );
  }

  /** Shows the links, or hides them from whoever may not make any. @param {boolean} shown */
  show(shown) {
    this.node.hidden = !shown;
    if (shown)
      this.#trying(() => this.#load()); // the uses of a link are told with the members
    else this.#made.hidden = true;
    this.#shown = shown;
  }

  async #load() {
    const { invites } = await this.#client.groups.invites(this.#id);
    this.#list.replaceChildren(...invites.map((invite) => this.#row(invite)));
  }

  async #create() {
    const max_uses = Number(this.#uses.input.value) || undefined;
    const { secret } = await this.#client.groups.createInvite(this.#id, {
      expires_in: Number(this.#expires.input.value),
      max_uses,
    });
    const link = `${new URL("/", location.href)}#join=${secret}`;
    const input = el("input", {
      type: "text",
      readOnly: true,
      value: link,
      "aria-label": say("invitation_link"),
      onfocus: () => input.select(),
    });
    const copy = el("button", { type: "button", className: "quiet", textContent: say("copy") });
    copy.addEventListener("click", async () => {
      input.select();
      copy.textContent = say((await copied(link)) ? "copied" : "press_copy");
      announce(copy.textContent);
    });
    this.#made.replaceChildren(
      el("div", { className: "input" }, input, copy),
      el("p", { className: "hint", textContent: say("link_hint") }),
    );
    this.#made.hidden = false;
    // Focused last: what the list has gained would push it out of view.
    await this.#load().finally(() => input.focus());
  }

  /** @param {Invite} invite */
  #row({ id, by, expires_at, uses, max_uses }) {
    const until = new Date(expires_at);
    const over = until.getTime() < Date.now();
    const used = max_uses ? say("used_of", { uses, most: max_uses }) : sayCount("used", uses);
    const text = say(over ? "link_expired" : "link_until", { date: shortDate(until), used });
    const revoke = () =>
      ask({
        title: say("revoke_title"),
        text: say("revoke_text"),
        action: say("revoke"),
        run: async () => {
          await this.#client.groups.revokeInvite(this.#id, id);
          this.#made.hidden = true;
          await this.#load();
        },
      });
    return el(
      "li",
      {},
      el(
        "p",
        { title: exactTime(until) },
        text,
        el("span", { className: "hint", textContent: say("made_by", { user: by }) }),
      ),
      el("button", { type: "button", className: "link", textContent: say("revoke"), onclick: revoke }),
    );
  }

  /** @param {() => Promise<void>} work */
  async #trying(work) {
    this.#error.textContent = "";
    try {
      await work();
    } catch (thrown) {
      if (this.#shown || !this.node.hidden) this.#error.textContent = sayProblem(thrown);
    }
  }
}

/** @param {string} text @returns {Promise<boolean>} whether it is in the clipboard */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text); // only in a secure context
    return true;
  } catch {
    return document.execCommand("copy");
  }
}

/** @param {string} label @param {[string, string][]} options */
function select(label, options) {
  const input = el(
    "select",
    { "aria-label": label },
    ...options.map(([value, text]) => el("option", { value, textContent: text })),
  );
  return { node: el("label", {}, el("span", { textContent: label }), input), input };
}
