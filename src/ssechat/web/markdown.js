/**
 * The marks in a text: bold, italic, strikethrough, code, links, quotes and lists, a small subset of Markdown.
 *
 * A parser of our own, where libraries follow CommonMark: what people write in a chat is no document, and must not turn
 * into one (four spaces, a line of dashes, `1986.` at the beginning, `&amp;`, `<b>`). And no character is lost: the
 * leaves of the tree, joined, are the text, marks included. So what one copies is what was written.
 */

import { splitLinks, urlOf } from "./format.js";

/** How deep marks may stand in each other. */
const DEEPEST = 6;
/** Of a longer text, this many characters are read for marks. */
const LONGEST = 20_000;

/** @typedef {"bold"|"italic"|"strike"|"code"|"block"|"quote"|"list"|"item"} Kind */

/**
 * A part of a text: characters that are shown, marks that are not, a link, or what has parts of its own.
 *
 * @typedef {{kind: "text", text: string}
 *   | {kind: "mark", text: string}
 *   | {kind: "link", href: string, parts: Part[]}
 *   | {kind: Kind, parts: Part[], number?: number}} Part
 */

const FENCE = /^```[^\n`]*$/;
const QUOTE = /^>(?: |(?=\n|$))/;
const BULLET = /^ {0,3}[-*•] +(?=\S)/;
const NUMBER = /^ {0,3}(\d{1,3})[.)] +(?=\S)/;
/** What italic and bold may stand beside: a mark within a word, as in snake_case or 2*3*4, is none. */
const WORD = /[\p{L}\p{N}_]/u;

/** What has no width. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}]/gu;

/** Splits a text into its parts. @param {string} text @returns {Part[]} */
export function parse(text) {
  if (text.length > LONGEST) return [...blocks(text.slice(0, LONGEST)), ...plain(text.slice(LONGEST))];
  return blocks(text);
}

/** What a text shows, without its marks, for a line of it somewhere else. @param {string} text */
export function shownText(text) {
  return shown(parse(text));
}

/** @param {Part[]} parts @returns {string} */
function shown(parts) {
  return parts
    .map((part) => ("parts" in part ? shown(part.parts) : part.kind === "text" ? part.text : breaks(part)))
    .join("");
}

/** @param {{text: string}} mark */
function breaks({ text }) {
  return text.includes("\n") ? "\n" : "";
}

/** The text that parts are of. @param {Part[]} parts @returns {string} */
export function source(parts) {
  return parts.map((part) => ("parts" in part ? source(part.parts) : part.text)).join("");
}

/** @param {string} text @returns {Part[]} */
function blocks(text) {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const lastFence = lines.findLastIndex(closesFence); // once: each fence after it would look for its end in vain
  /** @type {Part[]} */
  const parts = [];
  /** @type {string[]} */
  let paragraph = [];
  const flush = (/** @type {boolean} */ beforeBlock) => {
    if (!paragraph.length) return;
    const said = paragraph.join("");
    paragraph = [];
    // The line break before a block is the block's own: shown, it would make an empty line.
    const ends = beforeBlock && said.endsWith("\n");
    parts.push(...inline(ends ? said.slice(0, -1) : said));
    if (ends) parts.push({ kind: "mark", text: "\n" });
  };
  for (let i = 0; i < lines.length; ) {
    const found = blockAt(lines, i, lastFence);
    if (found) {
      flush(true);
      parts.push(found.part);
      i = found.end;
    } else {
      paragraph.push(lineAt(lines, i));
      i++;
    }
  }
  flush(false);
  return parts;
}

/** @param {string[]} lines @param {number} i @param {number} lastFence @returns {{part: Part, end: number}|null} */
function blockAt(lines, i, lastFence) {
  const line = bare(lineAt(lines, i));
  if (FENCE.test(line)) return i < lastFence ? fenced(lines, i) : null;
  if (QUOTE.test(line)) return quoted(lines, i);
  if (BULLET.test(line)) return listed(lines, i, BULLET);
  if (NUMBER.test(line)) return listed(lines, i, NUMBER);
  return null;
}

/** @param {string} line */
function closesFence(line) {
  return bare(line) === "```";
}

/** A block of code, as written; the fence that ends it is there. @param {string[]} lines @param {number} i */
function fenced(lines, i) {
  let end = i + 1;
  while (!closesFence(lineAt(lines, end))) end++;
  if (end === i + 1) return null;
  const code = lines.slice(i + 1, end).join("");
  /** @type {Part[]} */
  const parts = [mark(lineAt(lines, i)), { kind: "text", text: code.slice(0, -1) }, mark(`\n${lines[end]}`)];
  return { part: /** @type {Part} */ ({ kind: "block", parts }), end: end + 1 };
}

/** @param {string[]} lines @param {number} i */
function quoted(lines, i) {
  let end = i;
  while (end < lines.length && QUOTE.test(lineAt(lines, end))) end++;
  /** @type {Part[]} */
  const parts = [];
  for (const line of lines.slice(i, end)) parts.push(...marked(line, QUOTE));
  return { part: /** @type {Part} */ ({ kind: "quote", parts: ended(parts) }), end };
}

/** @param {string[]} lines @param {number} i @param {RegExp} form */
function listed(lines, i, form) {
  let end = i;
  while (end < lines.length && form.test(lineAt(lines, end))) end++;
  const parts = lines.slice(i, end).map((line) => {
    const number = NUMBER.exec(line)?.[1];
    /** @type {Part} */
    const item = { kind: "item", parts: ended(marked(line, form)) };
    return number === undefined ? item : { ...item, number: Number(number) };
  });
  return { part: /** @type {Part} */ ({ kind: "list", parts }), end };
}

/** A line after the mark that it begins with. @param {string} line @param {RegExp} form */
function marked(line, form) {
  const rest = line.replace(form, "");
  return [mark(line.slice(0, line.length - rest.length)), ...inline(rest)];
}

/** Takes the last line break of a block for a mark. @param {Part[]} parts @returns {Part[]} */
function ended(parts) {
  const last = parts.at(-1);
  if (last?.kind !== "text" || !last.text.endsWith("\n")) return parts;
  const rest = last.text.slice(0, -1);
  return [...parts.slice(0, -1), ...(rest ? [{ ...last, text: rest }] : []), mark("\n")];
}

/** @type {[string, Kind][]} the longer mark first */
const PAIRS = [
  ["**", "bold"],
  ["~~", "strike"],
  ["*", "italic"],
  ["_", "italic"],
];

/** Marks end within their paragraph. @param {string} text @param {number} depth @returns {Part[]} */
function inline(text, depth = 0) {
  if (depth >= DEEPEST) return plain(text);
  return text.split(/(\n\n)/).flatMap((paragraph) => spans(paragraph, depth));
}

/** @param {string} text @param {number} depth @returns {Part[]} */
function spans(text, depth) {
  /** @type {Part[]} */
  const parts = [];
  // Where a mark has no end, none later in the text has one either: so each is looked for once in vain.
  const vain = new Set();
  const addresses = addressesIn(text);
  let begun = 0;
  for (let at = 0; at < text.length; ) {
    while ((addresses[0]?.end ?? text.length) <= at) addresses.shift();
    if (addresses[0] && addresses[0].start <= at) {
      at = addresses[0].end;
      continue;
    }
    if (text[at] === "\\") {
      at += 2; // what follows is meant as it stands
      continue;
    }
    const found = codeAt(text, at, vain) ?? linkAt(text, at, depth) ?? pairAt(text, at, depth, vain);
    if (found) {
      parts.push(...plain(text.slice(begun, at)), found.part);
      begun = found.end;
    }
    at = found ? found.end : at + 1;
  }
  parts.push(...plain(text.slice(begun)));
  return parts;
}

/** Where the addresses of a text stand: `_` and `*` in them are no marks. @param {string} text */
function addressesIn(text) {
  let start = 0;
  return splitLinks(text).flatMap(({ text: part, href }) => {
    start += part.length;
    return href === null ? [] : [{ start: start - part.length, end: start }];
  });
}

/** @typedef {{end: number, part: Part}|null} Found */

/** @param {string} text @param {number} at @param {Set<string>} vain @returns {Found} */
function codeAt(text, at, vain) {
  if (text[at] !== "`" || text.startsWith("```", at) || text[at - 1] === "`") return null;
  const fence = text.startsWith("``", at) ? "``" : "`";
  if (vain.has(fence)) return null;
  const end = text.indexOf(fence, at + fence.length);
  if (end < 0) vain.add(fence);
  const code = text.slice(at + fence.length, end);
  if (end < 0 || !code.trim()) return null;
  const parts = [mark(fence), /** @type {Part} */ ({ kind: "text", text: code }), mark(fence)];
  return { end: end + fence.length, part: { kind: "code", parts } };
}

/** `[words](address)` @param {string} text @param {number} at @param {number} depth @returns {Found} */
function linkAt(text, at, depth) {
  if (text[at] !== "[") return null;
  const [whole, words = "", address = ""] =
    /^\[([^[\]\n]{1,500})\]\(([^\s()<>]{1,2000})\)/.exec(text.slice(at, at + 2504)) ?? [];
  const href = urlOf(address);
  if (!whole || !href || !words.trim()) return null;
  const said = inline(words, depth + 1);
  // Words that look like an address would say that they lead somewhere else.
  if (looksLikeAddress(shown(said))) return null;
  const parts = [mark("["), ...said, mark(`](${address})`)];
  return { end: at + whole.length, part: { kind: "link", href, parts } };
}

/** @param {string} words as they are shown */
function looksLikeAddress(words) {
  const seen = words.normalize("NFKC").replace(UNSEEN, "");
  return /[\p{L}\p{N}\p{M}][.。]\p{L}|:\/\/|@/u.test(seen);
}

/** @param {string} text @param {number} at @param {number} depth @param {Set<string>} vain @returns {Found} */
function pairAt(text, at, depth, vain) {
  for (const [sign, kind] of PAIRS) {
    if (!text.startsWith(sign, at) || vain.has(sign)) continue;
    if (WORD.test(text.charAt(at - 1)) || !opens(text, at + sign.length)) return null;
    const end = closing(text, sign, at + sign.length);
    if (end < 0) {
      vain.add(sign);
      continue;
    }
    const within = inline(text.slice(at + sign.length, end), depth + 1);
    return { end: end + sign.length, part: { kind, parts: [mark(sign), ...within, mark(sign)] } };
  }
  return null;
}

/** Whether something stands where a mark would begin it. @param {string} text @param {number} at */
function opens(text, at) {
  const next = text.charAt(at);
  return next !== "" && !/[\s*_~]/u.test(next);
}

/** Where a mark ends; -1 if nowhere. @param {string} text @param {string} sign @param {number} from */
function closing(text, sign, from) {
  for (let at = text.indexOf(sign, from + 1); at >= 0; at = text.indexOf(sign, at + 1)) {
    const after = String.fromCodePoint(text.codePointAt(at + sign.length) ?? 32);
    const doubled = sign.length === 1 && (after === sign || text[at - 1] === sign);
    if (!doubled && !/[\s\\]/u.test(text.charAt(at - 1)) && !WORD.test(after)) return at;
  }
  return -1;
}

/** @param {string} text @returns {Part[]} */
function plain(text) {
  if (!text) return [];
  return splitLinks(text).map((part) =>
    part.href === null
      ? { kind: "text", text: part.text }
      : { kind: "link", href: part.href, parts: [{ kind: "text", text: part.text }] },
  );
}

/** @param {string} text @returns {Part} */
function mark(text) {
  return { kind: "mark", text };
}

/** A line without its break. @param {string} line */
function bare(line) {
  return line.endsWith("\n") ? line.slice(0, -1) : line;
}

/** @param {string[]} lines @param {number} i */
function lineAt(lines, i) {
  return /** @type {string} */ (lines[i]);
}
