/** How a message looks. */

import { clock, exactTime, splitLinks } from "../format.js";
import { el, icon } from "./dom.js";

/**
 * Text as it was written, with its links made clickable. The text nodes joined are the text, to the letter.
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

/**
 * @typedef {object} Item
 * @property {"message"|"day"|"unread"} kind
 * @property {string} key
 * @property {string} signature changes when the item looks different
 */

/** A day's heading, or the line above what is unread. */
export function separator(kind, text) {
  return el("li", { className: `separator ${kind}` }, el("span", { textContent: text }));
}

/**
 * One message or one still to be sent.
 *
 * @param {object} item
 * @param {string} item.sender
 * @param {boolean} item.mine
 * @param {string|null} item.text null for one that was deleted
 * @param {Date} item.date
 * @param {boolean} item.first whether it begins a group of one sender
 * @param {boolean} item.last whether it ends one
 * @param {boolean} item.named whether to show who wrote it
 * @param {"sent"|"queued"|"failed"} item.state
 * @param {string} item.reason why it was refused, or is not sent yet
 * @param {{retry: () => void, edit: () => void, discard: () => void}} actions
 */
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
    // The direction follows from the text alone: what has a direction of its own does not count (dir=auto).
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

function stateMark(state) {
  const [name, label] = {
    sent: ["check", "Sent"],
    queued: ["clock", "Sending…"],
    failed: ["warning", "Not sent"],
  }[state];
  const mark = el("span", { className: "state", title: label }, icon(name));
  mark.append(el("span", { className: "hidden", textContent: label }));
  return mark;
}

function waiting(reason) {
  return el("p", { className: "waiting", role: "status", textContent: `Not sent yet: ${reason} Trying again…` });
}

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
