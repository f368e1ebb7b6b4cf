/** Whom the user blocks. */

/** @typedef {import("./conversation.js").Conversation} Conversation */

/**
 * The data of the event `block`.
 *
 * @typedef {{conversation_id: string, user: string, blocked: boolean}} Block
 */

/** Applies an event `block`. @param {Conversation} conversation @param {Block} block */
export function applyBlock(conversation, { blocked }) {
  const changed = (conversation.blocked ?? false) !== blocked;
  if (blocked) conversation.blocked = true;
  else delete conversation.blocked;
  return changed;
}
