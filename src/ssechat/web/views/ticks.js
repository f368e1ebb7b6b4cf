/** The mark on one's own message: whether it is on its way, sent, delivered or read; and in a group, by whom. */

import { markOf } from "../delivery_mark.js";
import { say } from "../texts/language.js";
import { el, icon } from "./dom.js";
import { openBeside } from "./popover.js";

/** @typedef {import("../progress.js").Progress} Progress */

/** @type {Record<import("../delivery_mark.js").Mark["look"], string>} */
const ICONS = { failed: "warning", queued: "clock", sent: "check", delivered: "checks", read: "checks" };

/**
 * The mark; in a group it opens the names.
 *
 * @param {import("./items.js").MessageItem} item
 */
export function ticks({ state, progress, named }) {
  const { look, label } = markOf(state, progress, named);
  const content = [icon(ICONS[look]), el("span", { className: "hidden", textContent: label })];
  const people = progress && progress.read.length + progress.delivered.length + progress.waiting.length;
  if (!named || !people || state !== "sent")
    return el("span", { className: `state ${look}`, title: label }, ...content);
  const button = el(
    "button",
    {
      type: "button",
      className: `state ${look}`,
      title: label,
      tabIndex: -1,
      "aria-haspopup": "dialog",
      onclick: () => openNames(progress, button, label),
    },
    ...content,
  );
  return button;
}

/** @param {Progress} progress @param {HTMLElement} anchor @param {string} label */
function openNames({ read, delivered, waiting }, anchor, label) {
  const box = el(
    "div",
    {
      className: "popover who-read",
      popover: "auto",
      role: "dialog",
      "aria-label": label,
      tabIndex: -1,
      ontoggle: (/** @type {ToggleEvent} */ { newState }) => newState === "closed" && box.remove(),
    },
    names(say("read"), read),
    names(say("delivered"), delivered),
    names(say("not_delivered"), waiting),
  );
  document.body.append(box);
  openBeside(box, anchor);
  box.focus();
}

/** @param {string} title @param {string[]} users */
function names(title, users) {
  if (!users.length) return null;
  const list = el("ul", {}, ...users.map((user) => el("li", { dir: "auto", textContent: user })));
  return el("section", {}, el("h2", { textContent: title }), list);
}
