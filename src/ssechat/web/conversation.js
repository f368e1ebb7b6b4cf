/** A conversation as the page knows it. */

import { Thread } from "./thread.js";

/** @typedef {import("./client.js").Message} Message */

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {"dm"|"group"} type
 * @property {string} [name] a group's, as what follows
 * @property {string} [topic]
 * @property {"all"|"from_join"} [history]
 * @property {import("./client.js").Role} [role] the user's own
 * @property {number} [member_count]
 * @property {boolean} [ended]
 * @property {boolean} [blocked] whether the user blocks the other one of the two
 * @property {"left"|"removed"|"gone"} [left] how the user's membership ended; `gone` if only that is known
 * @property {string} [removedBy]
 * @property {string} [unavailable] why the server did not show it
 * @property {string} [refusal] the server's name for that
 * @property {import("./membership.js").Roster} [roster] all members, once they are loaded
 * @property {string} [activity] what counts as the time of a last message while there is none
 * @property {string[]} members of a large group, some
 * @property {number} newest_seq
 * @property {Message|null} last_message
 * @property {number|null} read_up_to the seq up to which the user has read; null while that is not known
 * @property {number[]} mentions the seqs of unread messages that mention the user
 * @property {boolean} muted
 * @property {import("./progress.js").Receipt[]|null} [receipts] of the others, while it is shown; null: there are none
 * @property {Thread} thread
 */

/** A conversation of which only the id is known. @param {string} id @returns {Conversation} */
export function newConversation(id) {
  const direct = id.startsWith("dm:");
  const members = direct ? [...new Set(id.slice(3).split(":"))] : [];
  return {
    id,
    type: direct ? "dm" : "group",
    members,
    newest_seq: 0,
    last_message: null,
    read_up_to: null,
    mentions: [],
    muted: false,
    thread: new Thread(),
  };
}

/** The time by which a conversation is listed, or an empty string. @param {Conversation} conversation */
export function timeOf({ last_message, activity }) {
  return last_message?.created_at ?? activity ?? "";
}

/** Whether a message was deleted or has expired. @param {Message} message */
export function isTombstone(message) {
  return message.deleted === true || typeof message.text !== "string";
}

/**
 * Whether an address leads to no conversation: the server does not know the other one, or shows no such group.
 *
 * @param {Conversation} conversation
 */
export function isNone({ unavailable, thread, last_message }) {
  return Boolean(unavailable) && thread.messages.length === 0 && !last_message;
}
