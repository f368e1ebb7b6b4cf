/** How the page shows who is there. */

import { seenAgo } from "../format.js";
import { say } from "../texts/language.js";
import { el } from "./dom.js";

/** @typedef {import("../presence_requests.js").Person|undefined} Known */

/**
 * An avatar, with a dot if its user is there.
 *
 * @param {HTMLElement} avatar
 * @param {boolean|undefined} online
 */
export function withDot(avatar, online) {
  if (!online) return avatar;
  const hidden = el("span", { className: "hidden", textContent: say("is_online") });
  const dot = el("span", { className: "dot", title: say("is_online") }, hidden);
  return el("span", { className: "with-dot" }, avatar, dot);
}

/** Whether somebody is there, in words; empty while it is not known. @param {Known} person */
export function presenceText(person) {
  if (!person) return "";
  if (person.online) return say("online");
  return person.last_seen ? say("last_seen", { when: seenAgo(new Date(person.last_seen)) }) : say("offline_now");
}

/**
 * The elements of a list that are on the screen, or nearly.
 *
 * @param {HTMLElement} list
 */
export function onScreen(list) {
  const bottom = globalThis.innerHeight + 200;
  return [...list.children].filter((child) => {
    const box = child.getBoundingClientRect();
    return box.height > 0 && box.bottom > -200 && box.top < bottom;
  });
}
