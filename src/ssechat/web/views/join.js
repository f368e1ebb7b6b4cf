/** Asks before the user joins a group by an invitation link. */

import { say } from "../texts/language.js";
import { ask } from "./dialog.js";

/**
 * @param {import("../chat.js").Chat} chat
 * @param {string} secret of the invitation
 * @param {(id: string) => void} onJoined called with the group's id
 * @returns {HTMLDialogElement} which is open
 */
export function askToJoin(chat, secret, onJoined) {
  return ask({
    title: say("join_title"),
    text: say("join_text", { user: chat.user }),
    action: say("join"),
    danger: false,
    run: async () => onJoined(await chat.groups.join(secret)),
  });
}
