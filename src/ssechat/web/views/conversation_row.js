/** A row of the list of conversations. */

import { badge, exactTime } from "../format.js";
import { say, sayCount } from "../texts/language.js";
import { avatar, el, icon } from "./dom.js";
import { withDot } from "./presence_dot.js";

/**
 * A row of the list.
 *
 * @typedef {object} Row
 * @property {string} id
 * @property {string} title
 * @property {string} called the name that the other person has chosen; empty if there is none
 * @property {string} picture of the other person; empty if there is none
 * @property {boolean} note whether it is the user's notes
 * @property {number} people the members of a group; 0 for a direct conversation
 * @property {string} prefix the text before the last message, such as a sender
 * @property {string} text of the last message
 * @property {boolean} failed whether the last message was refused
 * @property {string} when the time, formatted for users
 * @property {string} time the time in a machine-readable format, or empty
 * @property {number} unread
 * @property {boolean} mentioned whether an unread message mentions the user
 * @property {boolean} muted
 * @property {boolean} blocked whether the user blocks the other one
 * @property {boolean} online whether the other one is there
 * @property {boolean} selected
 */

/**
 * Creates a row, or updates the element of the previous one, so that its button keeps the focus.
 *
 * @param {Row} row
 * @param {(id: string) => void} onOpen
 * @param {HTMLElement} [before]
 */
export function conversationRow(row, onOpen, before) {
  const {
    id,
    title,
    called,
    picture,
    note,
    people,
    text,
    prefix,
    failed,
    when,
    time,
    unread,
    mentioned,
    muted,
    blocked,
    online,
    selected,
  } = row;
  const node = before ?? el("li", {}, el("button", { type: "button", onclick: () => onOpen(id) }));
  const button = /** @type {HTMLButtonElement} */ (node.firstElementChild);
  button.className = ["conversation-row", selected && "selected", unread && "unread"].filter(Boolean).join(" ");
  button.dataset.id = id;
  if (selected) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  button.replaceChildren(
    withDot(avatar(title, { note, group: id.startsWith("g:"), called, picture }), online),
    el(
      "span",
      { className: "lines" },
      el(
        "span",
        { className: "line" },
        el(
          "span",
          { className: "called-so" },
          el("span", { className: "title", dir: "auto", textContent: called || title }),
          called && el("span", { className: "handle", dir: "ltr", textContent: title }),
        ),
        people > 0 && memberCount(people),
        when && el("time", { dateTime: time, title: exactTime(new Date(time)), textContent: when }),
      ),
      el(
        "span",
        { className: "line" },
        el("span", { className: `preview${failed ? " failed" : ""}` }, prefix, el("bdi", { textContent: text })),
        el(
          "span",
          { className: "badges" },
          blocked && el("span", { className: "muted", title: say("blocked") }, icon("block"), hidden(say("blocked"))),
          muted && el("span", { className: "muted", title: say("muted") }, icon("bell_off"), hidden(say("muted"))),
          mentioned &&
            el(
              "span",
              { className: "badge mentioned", title: say("you_were_mentioned") },
              "@",
              hidden(` ${say("mentioned")}`),
            ),
          unread > 0 &&
            el(
              "span",
              { className: muted ? "badge quiet-badge" : "badge" },
              badge(unread),
              hidden(` ${say("unread")}`),
            ),
        ),
      ),
    ),
  );
  return node;
}

/** @param {string} textContent */
function hidden(textContent) {
  return el("span", { className: "hidden", textContent });
}

/** @param {number} people */
function memberCount(people) {
  const label = sayCount("members_count", people);
  return el(
    "span",
    { className: "people", title: label },
    icon("people"),
    el("span", { "aria-hidden": "true", textContent: String(people) }),
    el("span", { className: "hidden", textContent: label }),
  );
}
