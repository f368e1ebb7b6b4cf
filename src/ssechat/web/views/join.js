/** Asks before the user joins a group by an invitation link. */

import { ask } from "./dialog.js";

/**
 * @param {import("../chat.js").Chat} chat
 * @param {string} secret of the invitation
 * @param {(id: string) => void} onJoined called with the group's id
 */
export function askToJoin(chat, secret, onJoined) {
  ask({
    title: "Join the group?",
    text: `You have opened an invitation link. If you join, the members see that you are ${chat.user}.`,
    action: "Join",
    danger: false,
    run: async () => onJoined(await chat.groups.join(secret)),
  });
}
