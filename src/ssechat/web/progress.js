/** How far one's own message has come: sent, delivered, read; and in a group, by whom. */

import { say } from "./texts/language.js";

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
 * How a mark looks and reads.
 *
 * @typedef {object} Mark
 * @property {"failed"|"queued"|"sent"|"delivered"|"read"} look
 * @property {string} label
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

/**
 * How the mark of a message looks and reads: as what all of the others have, and in a group with how many they are.
 *
 * @param {"sent"|"queued"|"failed"} state
 * @param {Progress|null} progress
 * @param {boolean} group
 * @returns {Mark}
 */
export function markOf(state, progress, group) {
  if (state === "queued") return { look: "queued", label: say("sending") };
  if (state === "failed") return { look: "failed", label: say("not_sent") };
  const read = progress?.read.length ?? 0;
  const had = read + (progress?.delivered.length ?? 0);
  const all = had + (progress?.waiting.length ?? 0);
  if (all === 0 || had === 0) return { look: "sent", label: say("sent") };
  const look = read === all ? "read" : had === all ? "delivered" : "sent";
  if (!group) return { look, label: say(look === "read" ? "read" : "delivered") };
  return { look, label: read > 0 ? say("read_by", { some: read, all }) : say("delivered_to", { some: had, all }) };
}
