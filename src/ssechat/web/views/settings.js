/** The settings of the account: the profile, the password, the sessions. */

import { BlockedPeople } from "./blocked.js";
import { openSheet } from "./dialog.js";
import { el } from "./dom.js";
import { passwordForm } from "./password_form.js";
import { profileForm } from "./profile_form.js";
import { SessionList } from "./session_list.js";
import { visibleSwitch } from "./visible_switch.js";

/** @typedef {import("../chat.js").Chat} Chat */

/**
 * A part of the dialog. `make` returns null where there is nothing to set; `closed` is called when the dialog closes.
 *
 * @typedef {object} Part
 * @property {string} title
 * @property {(chat: Chat) => ({node: Node, closed?: () => void}|null)} make
 */

/** The parts, in their order. A new one is an entry here. @type {Part[]} */
const PARTS = [
  { title: "Profile", make: (chat) => profileForm(chat) },
  { title: "Online", make: (chat) => visibleSwitch(chat) },
  { title: "Password", make: (chat) => (chat.server.sign_in === false ? null : { node: passwordForm(chat) }) },
  { title: "Where you are signed in", make: (chat) => sessionsPart(chat) },
  { title: "Blocked people", make: (chat) => blockedPart(chat) },
];

/** @param {Chat} chat */
function sessionsPart(chat) {
  const sessions = new SessionList(chat);
  return { node: sessions.node, closed: () => sessions.close() };
}

/** @param {Chat} chat */
function blockedPart(chat) {
  const people = new BlockedPeople(chat);
  return { node: people.node, closed: () => people.close() };
}

/** @param {Chat} chat */
export function openSettings(chat) {
  const parts = PARTS.map(({ title, make }) => ({ title, made: make(chat) }));
  const sections = parts.map(
    ({ title, made }) => made && el("section", { "aria-label": title }, el("h3", { textContent: title }), made.node),
  );
  openSheet("Settings", sections, () => {
    for (const { made } of parts) made?.closed?.();
  });
}
