/** What the user has read of a conversation, as the server tells it. What is unread follows from it. */

/** @typedef {import("./conversation.js").Conversation} Conversation */

/**
 * What the data of the event `mark` has, and `mark` in that of a message.
 *
 * @typedef {{read_up_to: number, muted: boolean, unread: number, mentions: number[]}} Mark
 */

/** Raises the mark of a conversation; it never falls. @param {Conversation} conversation @param {number} seq */
export function raiseMark(conversation, seq) {
  if (conversation.read_up_to === null || conversation.read_up_to >= seq) return false;
  conversation.read_up_to = seq;
  conversation.mentions = conversation.mentions.filter((one) => one > seq);
  return true;
}

/**
 * Takes over a mark; of a conversation that is not loaded it is none. What was read here may not be in it yet.
 *
 * @param {Conversation} conversation
 * @param {Mark} mark
 */
export function applyMark(conversation, { read_up_to, muted, mentions }) {
  if (conversation.read_up_to === null) return false;
  const before = `${conversation.muted} ${conversation.read_up_to} ${conversation.mentions}`;
  conversation.muted = muted;
  raiseMark(conversation, read_up_to);
  conversation.mentions = mentions.filter((one) => one > Number(conversation.read_up_to));
  return before !== `${muted} ${conversation.read_up_to} ${conversation.mentions}`;
}
