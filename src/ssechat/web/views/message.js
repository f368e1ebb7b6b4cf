/** The elements of a message. */

import { clock, exactTime, splitLinks } from "../format.js";
import { el, icon } from "./dom.js";

/**
 * Returns a text with clickable links. The joined text nodes are exactly the text.
 *
 * @param {string} text
 */
export function messageText(text) {
  const parts = splitLinks(text).map((part) =>
    part.href === null
      ? part.text
      : el("a", { href: part.href, target: "_blank", rel: "noopener noreferrer", textContent: part.text }),
  );
  return el("span", { className: "text" }, ...parts);
}

/** A day's heading, or the line above what is unread. @param {import("./items.js").Separator} item */
export function separator({ kind, text }) {
  return el("li", { className: `separator ${kind}` }, el("span", { textContent: text }));
}

/** @typedef {{retry: () => void, edit: () => void, discard: () => void}} Actions the actions on a refused message */

/** A message, or one still to be sent. @param {import("./items.js").MessageItem} item @param {Actions} actions */
export function messageItem(item, actions) {
  const { mine, state, first, last, named, sender, text, date } = item;
  const classes = ["message", mine ? "mine" : "theirs", state, first && "first", last && "last"];
  const failed = state === "failed";
  const meta = el(
    "div",
    { className: "meta", dir: "ltr" },
    el("time", { dateTime: date.toISOString(), title: exactTime(date), textContent: clock(date) }),
    mine && stateMark(state),
  );
  const bubble = el(
    "div",
    { className: "bubble" },
    named && first && !mine && el("div", { className: "name", textContent: sender }),
    el("span", { className: "hidden", textContent: mine ? "You: " : `${sender}: ` }),
    // The direction follows from the text alone: dir=auto skips elements that have a dir of their own.
    el(
      "div",
      { className: "content", dir: "auto" },
      text === null
        ? el("span", { className: "text deleted", textContent: "This message was deleted." })
        : messageText(text),
      meta,
    ),
  );
  const note = failed ? failure(item.reason, actions) : state === "queued" && item.reason && waiting(item.reason);
  return el("li", { className: classes.filter(Boolean).join(" ") }, bubble, note);
}

/** @param {"sent"|"queued"|"failed"} state */
function stateMark(state) {
  /** @type {Record<typeof state, [string, string]>} */
  const marks = { sent: ["check", "Sent"], queued: ["clock", "Sending…"], failed: ["warning", "Not sent"] };
  const [name, label] = marks[state];
  const mark = el("span", { className: "state", title: label }, icon(name));
  mark.append(el("span", { className: "hidden", textContent: label }));
  return mark;
}

/** @param {string} reason */
function waiting(reason) {
  return el("p", { className: "waiting", role: "status", textContent: `Not sent yet: ${reason} Trying again…` });
}

/** @param {string|undefined} reason @param {Actions} actions */
function failure(reason, { retry, edit, discard }) {
  return el(
    "div",
    { className: "failure", role: "alert" },
    el("span", { textContent: `Not sent: ${reason}` }),
    el("button", { type: "button", className: "link", textContent: "Try again", onclick: retry }),
    el("button", { type: "button", className: "link", textContent: "Edit", onclick: edit }),
    el("button", { type: "button", className: "link", textContent: "Delete", onclick: discard }),
  );
}
