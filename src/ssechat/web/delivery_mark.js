/** The mark of one's own message: sent, delivered, read; and in a group, by how many. */

import { say } from "./texts/language.js";

/**
 * How a mark looks and reads.
 *
 * @typedef {object} Mark
 * @property {"failed"|"queued"|"sent"|"delivered"|"read"} look
 * @property {string} label
 */

/**
 * How the mark of a message looks and reads: as what all of the others have, and in a group with how many they are.
 *
 * @param {"sent"|"queued"|"failed"} state
 * @param {import("./progress.js").Progress|null} progress
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
