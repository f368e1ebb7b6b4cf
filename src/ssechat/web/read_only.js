/** Why one cannot write to a conversation, in words. */

import { language, say } from "./texts/language.js";

/**
 * Why the user cannot write to a conversation, or an empty string.
 *
 * @param {import("./conversation.js").Conversation} conversation
 */
export function whyReadOnly({ left, removedBy = "", ended, unavailable, refusal }) {
  if (left === "removed") return say("was_removed", { user: removedBy });
  if (left === "left") return say("you_left");
  if (left) return say("not_member");
  if (ended) return say("group_ended");
  return unavailable ? language.problem({ message: unavailable, code: refusal }) : "";
}
