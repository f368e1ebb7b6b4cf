/** What the user has read of a conversation. What is unread follows from it, and is counted nowhere else. */

/** @typedef {import("./client.js").Message} Message */
/** @typedef {import("./conversation.js").Conversation} Conversation */

/**
 * The data of the event `mark`.
 *
 * @typedef {{conversation_id: string, read_up_to: number, muted: boolean}} Mark
 */

/** Raises the mark of a conversation; it never falls. @param {Conversation} conversation @param {number} seq */
export function raiseMark(conversation, seq) {
  if (conversation.read_up_to === null || conversation.read_up_to >= seq) return false;
  conversation.read_up_to = seq;
  conversation.mentions = conversation.mentions.filter((one) => one > seq);
  return true;
}

/** Applies an event `mark`. @param {Conversation} conversation @param {Mark} mark */
export function applyMark(conversation, { read_up_to, muted }) {
  const changed = conversation.muted !== muted;
  conversation.muted = muted;
  return raiseMark(conversation, read_up_to) || changed;
}

/**
 * Takes over what a message says of the user: sending raises the mark, and a mention counts above it, as long as the
 * message has it.
 *
 * @param {Conversation} conversation
 * @param {Message} message
 * @param {string} user
 */
export function noteMessage(conversation, { seq, sender, mentions }, user) {
  if (sender === user) raiseMark(conversation, seq);
  const others = conversation.mentions.filter((one) => one !== seq);
  const counts = mentions?.includes(user) && seq > (conversation.read_up_to ?? seq);
  conversation.mentions = counts ? [...others, seq].sort((a, b) => a - b) : others;
}
