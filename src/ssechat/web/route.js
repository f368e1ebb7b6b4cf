/** What the page's URL says: the conversation that is open, or an invitation. All of it stands in the fragment. */

import { directConversationId } from "./ids.js";

const JOIN = "#join=";
const DETAILS = "/details";

/**
 * What is shown.
 *
 * @typedef {object} Route
 * @property {string|null} id of the conversation
 * @property {boolean} details whether the details of the group are shown beside it
 */

/** Returns the secret of an invitation, or null. @param {string} hash of the URL */
export function secretIn(hash) {
  return hash.startsWith(JOIN) ? decoded(hash.slice(JOIN.length)) : null;
}

/**
 * Returns what a URL shows, if it may be something of this user's.
 *
 * @param {string} hash
 * @param {string} user
 * @returns {Route}
 */
export function routeOf(hash, user) {
  const path = hash.replace(/^#\/?/, "");
  const details = path.endsWith(DETAILS);
  const id = decoded(details ? path.slice(0, -DETAILS.length) : path) ?? "";
  if (id.startsWith("g:")) return { id, details };
  const [a, b, more] = id.startsWith("dm:") ? id.slice(3).split(":") : [];
  if (!a || !b || more !== undefined) return { id: null, details: false };
  const direct = directConversationId(a, b);
  return { id: direct.slice(3).split(":").includes(user) ? direct : null, details: false };
}

/** The URL's fragment for what is shown. @param {string} id @param {boolean} details */
export function hashOf(id, details = false) {
  return `#/${encodeURIComponent(id)}${details ? DETAILS : ""}`;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
