/** The ids of users, conversations and messages. */

/** A `client_msg_id`, 128 random bits: the same on every retry. Works in an insecure context, too. */
export function newMessageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns a name in the server's canonical form (case, width). An invalid name stays invalid. @param {string} name */
export function canonicalName(name) {
  return name.normalize("NFKC").toLowerCase();
}

/** Whether the server accepts this as a new user's name. @param {string} name a canonical one */
export function isName(name) {
  return /^[a-z0-9_][a-z0-9_.@|+~-]{0,127}$/.test(name);
}

/** The id of the direct conversation of two users, or of a user's notes. @param {string} a @param {string} b */
export function directConversationId(a, b) {
  // User ids are ASCII: code units are code points.
  return `dm:${[canonicalName(a), canonicalName(b)].sort().join(":")}`;
}

/** The group that an invitation is for, or an empty string. @param {string} secret `<group id>.<random>` */
export function groupOfSecret(secret) {
  return /^(g:[^.]+)\../.exec(secret)?.[1] ?? "";
}
