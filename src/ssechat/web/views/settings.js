/** The settings: of the account (the profile, the password, the sessions), and of this device. */

import { say } from "../texts/language.js";
import { BlockedPeople } from "./blocked.js";
import { deviceForm } from "./device_form.js";
import { openSheet } from "./dialog.js";
import { el } from "./dom.js";
import { passwordForm } from "./password_form.js";
import { profileForm } from "./profile_form.js";
import { SessionList } from "./session_list.js";
import { visibleSwitch } from "./visible_switch.js";

/** @typedef {import("../chat.js").Chat} Chat */
/** @typedef {import("./device_form.js").Device} Device */

/**
 * A part of the dialog. `make` returns null where there is nothing to set; `closed` is called when the dialog closes.
 *
 * @typedef {object} Part
 * @property {import("../texts/language.js").PlainKey} title
 * @property {(chat: Chat, device: Device) => ({node: Node, closed?: () => void}|null)} make
 */

/** The parts, in their order. A new one is an entry here. @type {Part[]} */
const PARTS = [
  { title: "profile", make: (chat) => profileForm(chat) },
  { title: "this_device", make: (_, device) => ({ node: deviceForm(device) }) },
  { title: "online_title", make: (chat) => visibleSwitch(chat) },
  { title: "password", make: (chat) => (chat.server.sign_in === false ? null : { node: passwordForm(chat) }) },
  { title: "where_signed_in", make: (chat) => sessionsPart(chat) },
  { title: "blocked_people", make: (chat) => blockedPart(chat) },
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

/** @param {Chat} chat @param {Device} device */
export function openSettings(chat, device) {
  const parts = PARTS.map(({ title, make }) => ({ title: say(title), made: make(chat, device) }));
  const sections = parts.map(
    ({ title, made }) => made && el("section", { "aria-label": title }, el("h3", { textContent: title }), made.node),
  );
  return openSheet(say("settings"), sections, () => {
    for (const { made } of parts) made?.closed?.();
  });
}
