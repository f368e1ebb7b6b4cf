/** Formats times and texts for people. */

import { language, say, sayCount, sayList } from "./texts/language.js";

const LINK = /\b(?:https?:\/\/(?=[\p{L}\p{N}[])|mailto:(?=[^\s@]+@[\p{L}\p{N}]))[^\s<>"“”«»]+/giu;
/** Characters: what is longer is no address that somebody would follow. */
const LONGEST_LINK = 2_000;
// The server refuses a text without any of these characters (the same list is in texts/characters.py): it is blank.
const SHOWN = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\u2800]/u;
/** @type {Record<string, string>} */
const CLOSERS = { ")": "(", "]": "[", "}": "{" };

/** Whether a text is blank: empty, or only white space and characters without width. @param {string} text */
export function showsNothing(text) {
  return !SHOWN.test(text);
}

/** The local calendar day of a time, as a number that grows by one a day. @param {Date} date */
export function dayOf(date) {
  return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000);
}

/** `14:03` @param {Date} date */
export function clock(date) {
  return language.date("time", date);
}

/** Date and time in full. @param {Date} date */
export function exactTime(date) {
  return language.date("exact", date);
}

/** The heading of a day: `Today`, `Yesterday`, `Monday`, `Monday, 2 March`, `2 March 2019`. @param {Date} date */
export function dayName(date, now = new Date()) {
  const ago = dayOf(now) - dayOf(date);
  if (ago === 0) return say("today");
  if (ago === 1) return say("yesterday");
  if (ago > 1 && ago < 7) return language.date("weekday", date);
  return date.getFullYear() === now.getFullYear() ? language.date("longDay", date) : language.date("fullDay", date);
}

/** A time in a list: the clock today, else the day. @param {Date} date */
export function shortTime(date, now = new Date()) {
  const ago = dayOf(now) - dayOf(date);
  if (ago <= 0) return clock(date);
  if (ago === 1) return say("yesterday");
  if (ago < 7) return language.date("weekday", date);
  return shortDate(date, now);
}

/**
 * How long ago somebody was seen, in a sentence: `just now`, `5 minutes ago`, `at 14:03`, `on 5 Mar`.
 *
 * @param {Date} date
 */
export function seenAgo(date, now = new Date()) {
  const minutes = Math.round((now.getTime() - date.getTime()) / 60_000);
  const days = dayOf(now) - dayOf(date);
  if (minutes < 1) return say("just_now");
  if (minutes < 60) return sayCount("minutes_ago", minutes);
  if (days <= 0) return say("at_time", { time: clock(date) });
  if (days === 1) return say("yesterday_at", { time: clock(date) });
  return say("on_date", { date: shortDate(date, now) });
}

/** A day, for what is to come: `5 Mar`, `5 March 2027`. @param {Date} date */
export function shortDate(date, now = new Date()) {
  return date.getFullYear() === now.getFullYear() ? language.date("shortDay", date) : language.date("fullDay", date);
}

/** A count for a badge. @param {number} count */
export function badge(count) {
  return count > 99 ? "99+" : String(count);
}

/** A URL without the punctuation of the sentence around it. @param {string} url */
function withoutTrailing(url) {
  /** @type {Record<string, number>} how many more of each closing bracket there are than of those that open */
  const unopened = {};
  for (const [closer, opener] of Object.entries(CLOSERS)) {
    unopened[closer] = url.split(closer).length - url.split(opener).length;
  }
  for (let end = url.length; ; end--) {
    const last = url[end - 1] ?? "";
    const surplus = unopened[last] ?? 0;
    if (surplus <= 0 && !/[.,;:!?'…*_~]/u.test(last)) return url.slice(0, end);
    unopened[last] = surplus - 1;
  }
}

/**
 * Splits a text into plain parts and links (http, https, mailto); joined, the parts are the text again.
 *
 * @param {string} text
 * @returns {{text: string, href: string|null}[]}
 */
export function splitLinks(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    if (match[0].length > LONGEST_LINK) continue;
    const link = withoutTrailing(match[0]);
    const href = urlOf(link);
    if (!href) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index), href: null });
    parts.push({ text: link, href });
    end = match.index + link.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), href: null });
  return parts;
}

/** The URL of a link that may be followed from here (http, https, mailto); else null. @param {string} link */
export function urlOf(link) {
  if (!URL.canParse(link)) return null;
  const { protocol, hostname, pathname, href } = new URL(link);
  if (protocol === "mailto:") return pathname.includes("@") ? href : null;
  return ["http:", "https:"].includes(protocol) && hostname ? href : null;
}

/** Who is writing, as a sentence; empty if nobody is. @param {string[]} users */
export function whoIsWriting(users) {
  const [user = ""] = users;
  if (users.length <= 1) return user && say("is_writing", { user });
  return users.length <= 3 ? say("are_writing", { users: sayList(users) }) : say("several_writing");
}
