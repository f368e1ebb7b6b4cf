/** The text of a message as elements. They are made of its parts, never of markup. */

import { parse } from "../markdown.js";
import { splitMentions } from "../mentions.js";
import { el } from "./dom.js";

/** @typedef {import("../markdown.js").Part} Part */

/** @type {Record<string, keyof HTMLElementTagNameMap>} */
const TAGS = { bold: "strong", italic: "em", strike: "s", code: "code", block: "pre", quote: "blockquote", item: "li" };

/** What a longer text shows at first. */
const FOLDED = { lines: 18, characters: 1_400 };
/** As many emoji and no more are shown large. */
const LARGE = 5;

/**
 * Returns a text with its marks, links and mentions. The joined text nodes are exactly the text: marks are there, and
 * hidden.
 *
 * @param {string} text
 * @param {string[]} mentions
 * @param {string} user the signed-in user
 */
export function messageText(text, mentions, user) {
  /** @type {(part: Part) => (Node|string)[]} */
  const render = (part) => {
    if (part.kind === "text") return mentioning(part.text, mentions, user);
    if (part.kind === "mark") return [el("span", { className: "mark", textContent: part.text })];
    return [element(part, part.parts.flatMap(render))];
  };
  const className = isLarge(text) ? "text large" : "text";
  return el("div", { className }, ...parse(text).flatMap(render));
}

/** @param {Exclude<Part, {text: string}>} part @param {(Node|string)[]} children */
function element(part, children) {
  if (part.kind === "link") {
    const { href } = part;
    return el("a", { href, target: "_blank", rel: "noopener noreferrer", title: href }, ...children);
  }
  if (part.kind !== "list") return el(TAGS[part.kind] ?? "span", { value: part.number }, ...children);
  const [first] = part.parts;
  const numbered = first && "number" in first;
  return el(numbered ? "ol" : "ul", {}, ...children);
}

/** @param {string} text @param {string[]} mentions @param {string} user */
function mentioning(text, mentions, user) {
  return splitMentions(text, mentions).map((part) =>
    part.user === null
      ? part.text
      : el("strong", { className: part.user === user ? "mention me" : "mention", textContent: part.text }),
  );
}

/** Whether a text is nothing but a few emoji. @param {string} text */
export function isLarge(text) {
  if (text.length > 100) return false;
  const characters = [...new Intl.Segmenter().segment(text.trim())].filter(({ segment }) => segment !== " ");
  const emoji = characters.every(({ segment }) => /^(?:\p{Emoji_Presentation}|\p{Emoji}\uFE0F)/u.test(segment));
  return emoji && characters.length > 0 && characters.length <= LARGE;
}

/** Whether a text is so long that only its beginning is shown at first. @param {string} text */
export function isLong(text) {
  return text.length > FOLDED.characters || text.split("\n", FOLDED.lines + 2).length > FOLDED.lines + 1;
}
