/** How far one's own message has come: who has it, and who has read it. */

/**
 * Up to where one of the others has read a conversation, and has it.
 *
 * @typedef {object} Receipt
 * @property {string} user
 * @property {number} [since] the seq of the newest message when the user joined: the receipt is about those after it
 * @property {number} read_up_to
 * @property {number} delivered_up_to
 */

/**
 * How far a message has come with the others who were there when it was sent.
 *
 * @typedef {object} Progress
 * @property {string[]} read who has read it
 * @property {string[]} delivered who has it on a device, and has not read it
 * @property {string[]} waiting the others
 */

/**
 * How far a message has come with those who were there when it was sent.
 *
 * @param {Receipt[]|null|undefined} receipts of the others
 * @param {number} seq
 * @returns {Progress|null} null if nothing is known of it
 */
export function progressOf(receipts, seq) {
  if (!receipts || seq === 0) return null;
  /** @type {Progress} */
  const progress = { read: [], delivered: [], waiting: [] };
  for (const { user, since = 0, read_up_to, delivered_up_to } of receipts) {
    if (since >= seq) continue;
    const state = read_up_to >= seq ? "read" : delivered_up_to >= seq ? "delivered" : "waiting";
    progress[state].push(user);
  }
  return progress;
}
