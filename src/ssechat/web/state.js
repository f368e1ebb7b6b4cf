/** Whether the stream is open, as programs are told. */

/**
 * `retryAt` is the time of the next attempt in milliseconds since 1970, null where the browser decides it; `code` says
 * why the stream is not open, where the server said so (`too_many`: the user has too many streams).
 *
 * @typedef {object} State
 * @property {"connecting"|"live"|"reconnecting"|"signed_out"|"closed"} state
 * @property {number|null} retryAt
 * @property {string|null} code
 */

/** Whether two say the same; all name their parts in one order. @param {State} a @param {State} b */
export function isSame(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}
