/** Mentions: `@name` in a text, for those names that the message has as its data. */

/** The characters of which a name may have any after the first: one of these after a name makes it another word. */
const WORD = /[\p{L}\p{N}_]/u;

/** Characters that are looked at: a name, the `@` and what is before it. To go through a long text would take long. */
const LONGEST = 130;

/** The members whom a message may mention. */
const MOST = 50;

/** @typedef {{text: string, user: string|null}} Part */

/**
 * Splits a text at the mentions of these users; joined, the parts are the text again.
 *
 * @param {string} text
 * @param {Iterable<string>} users
 * @returns {Part[]}
 */
export function splitMentions(text, users) {
  const names = [...new Set(users)].sort((a, b) => b.length - a.length); // of two that fit, the longer one is meant
  /** @type {Part[]} */
  const parts = [];
  let end = 0;
  for (let at = text.indexOf("@"); at >= 0 && names.length; at = text.indexOf("@", at + 1)) {
    if (at < end || (at > 0 && WORD.test(text.slice(at - 1, at)))) continue; // within a name, or an e-mail address
    const rest = text.slice(at + 1);
    const user = names.find((name) => startsWithName(rest, name));
    if (user === undefined) continue;
    if (at > end) parts.push({ text: text.slice(end, at), user: null });
    end = at + 1 + user.length;
    parts.push({ text: text.slice(at, end), user });
  }
  if (end < text.length) parts.push({ text: text.slice(end), user: null });
  return parts;
}

/** @param {string} rest of a text, after the `@` @param {string} name */
function startsWithName(rest, name) {
  return rest.slice(0, name.length).toLowerCase() === name && !WORD.test(rest.slice(name.length, name.length + 1));
}

/**
 * The users whom a text mentions, at most as many as a message may.
 *
 * @param {string} text
 * @param {Iterable<string>} users
 */
export function mentionsIn(text, users) {
  const found = splitMentions(text, users).flatMap(({ user }) => (user === null ? [] : [user]));
  return [...new Set(found)].slice(0, MOST);
}

/**
 * Returns the name that is being typed at the caret, after an `@`.
 *
 * @param {string} text
 * @param {number} caret
 * @returns {{start: number, typed: string}|null} where the `@` is; null if no name is being typed
 */
export function mentionAt(text, caret) {
  const [, before, typed] =
    /^(.*?)@([a-z0-9_.@|+~-]*)$/is.exec(lastWord(text.slice(Math.max(0, caret - LONGEST), caret))) ?? [];
  if (typed === undefined || before === undefined || WORD.test(before.slice(-1))) return null;
  return { start: caret - typed.length - 1, typed: typed.toLowerCase() };
}

/** @param {string} text */
function lastWord(text) {
  return text.slice(text.search(/\S*$/u));
}

/**
 * The names that fit what is typed: those that begin with it, then those that contain it.
 *
 * @param {string} typed
 * @param {string[]} names
 * @param {number} most
 */
export function namesFor(typed, names, most = 6) {
  const begin = names.filter((name) => name.startsWith(typed));
  const contain = names.filter((name) => !name.startsWith(typed) && name.includes(typed));
  return [...begin, ...contain].slice(0, most);
}
