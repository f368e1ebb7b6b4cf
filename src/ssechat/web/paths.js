/** Paths of the server's HTTP interface that several parts of it have in common. */

/** @param {string} id @param {...string} below */
export function conversationPath(id, ...below) {
  return ["/v1/conversations", ...[id, ...below].map(encodeURIComponent)].join("/");
}
