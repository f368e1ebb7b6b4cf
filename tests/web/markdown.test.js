/** Marks in a text: what they make, and that no text loses a character or makes what it must not. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { parse, shownText, source } from "../../src/ssechat/web/markdown.js";

/** The outline of a text's parts: kinds around what is shown; marks are left out. @param {string} text */
const outline = (text) => draw(parse(text));

/** @param {any[]} parts @returns {string} */
const draw = (parts) =>
  parts
    .map(({ kind, text, parts: within, href, number }) => {
      if (kind === "mark") return "";
      if (kind === "text") return text;
      return `<${[kind, number, href].filter((one) => one !== undefined).join(" ")}:${draw(within)}>`;
    })
    .join("");

/** Random numbers that begin the same every time (mulberry32). @param {number} seed */
function randomly(seed) {
  let state = seed;
  return (/** @type {number} */ below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const PIECES =
  "*|**|_|__|~~|~|`|``|```|\n|\n\n|> |>|- |* |1. |2) |[|](|)|https://a.example/x_y|http://b.example/*c*|" +
  "mailto:a@b.example|javascript:alert(1)|data:text/html,x|<b>|</b>|<script>alert(1)</script>|<img src=x>|&amp;|" +
  "\\|@bob|a|word|" +
  " |  |\t|é|שלום|👍🏽|\u200b|\u202e|\ud800|0|.|,|!|#|---|===|    code|| | |";

/** @param {(below: number) => number} random */
function anyText(random) {
  const pieces = PIECES.split("|");
  return Array.from({ length: random(24) }, () => pieces[random(pieces.length)]).join("");
}

test("marks make bold, italic, struck and code", () => {
  for (const [text, expected] of [
    ["**bold** and *italic* or _italic_", "<bold:bold> and <italic:italic> or <italic:italic>"],
    ["~~gone~~ `a*b*c` ``a`b``", "<strike:gone> <code:a*b*c> <code:a`b>"],
    ["**all *of* it**", "<bold:all <italic:of> it>"],
    ["(*so*)", "(<italic:so>)"],
    ["```\nif a:\n    *b*\n```", "<block:if a:\n    *b*>"],
    ["see\n```js\na\n```\nthere", "see<block:a>there"],
  ]) {
    assert.equal(outline(text ?? ""), expected);
  }
});

test("what people write without meaning marks stays as it is", () => {
  for (const text of [
    "2*3*4 and 2 * 3 * 4",
    "snake_case_name and __init__ and *.py or *.js",
    "1986. was a year",
    "-5 degrees",
    ">:( and <3",
    "    four spaces",
    "title\n=====\n---\n# no heading",
    "<b>no</b> &amp; <script>alert(1)</script>",
    "a `b and *c and **d and ~~e",
    "*a\n\nb*",
    "```\n```",
    "```never ends\nx",
    "\\*not escaped\\*",
    "** ** * * `` ``",
    "",
  ]) {
    assert.equal(outline(text), text);
  }
});

test("lines make quotes and lists", () => {
  assert.equal(outline("> one\n> *two*\nthree"), "<quote:one\n<italic:two>>three");
  assert.equal(outline("so:\n- a\n- b\n\nand"), "so:<list:<item:a><item:b>>\nand");
  assert.equal(outline("3. a\n4) **b**"), "<list:<item 3:a><item 4:<bold:b>>>");
});

test("links lead to the web and to mailboxes only, and their words to nowhere else", () => {
  assert.equal(outline("https://a.example/x_y_z*"), "<link https://a.example/x_y_z:https://a.example/x_y_z>*");
  assert.equal(outline("*http://a.example*"), "<italic:<link http://a.example/:http://a.example>>");
  assert.equal(outline("[the *menu*](https://a.example/?a=1)!"), "<link https://a.example/?a=1:the <italic:menu>>!");
  assert.equal(outline("[write](mailto:a@b.example)"), "<link mailto:a@b.example:write>");
  for (const text of [
    "[x](javascript:alert(1))",
    "[x](java\nscript:alert)",
    "[x](data:text/html,x)",
    "[x](//a.example)",
    "[x](file:///etc/passwd)",
    "[ ](mailto:a@b.example)",
  ]) {
    assert.doesNotMatch(outline(text), /<link (?!mailto:a@b.example:mailto)/);
  }
});

test("words that look like another address than theirs are no link, whatever they are written with", () => {
  const link = "<link https://evil.example/:https://evil.example>";
  for (const words of [
    "bank.example",
    "bank._example_",
    "bank.**example**",
    "**bank**.~~example~~",
    "bank.`example`",
    "bank.\u200bexample",
    "bank\u00ad.\u2060example",
    "bank.\u0001example",
    "bank\uff0eexample",
    "bank\u2024example",
    "bank\u3002example",
    "bank\uff61example",
    "banq\u0303.example",
    "http:\u200b//bank",
    "**me**\uff20bank",
  ]) {
    const drawn = outline(`[${words}](https://evil.example)`);
    assert.ok(drawn.startsWith("[") && drawn.endsWith(`](${link})`), JSON.stringify(drawn));
  }
  assert.equal(outline("[No. 5 of 1.5 …](https://a.example)"), "<link https://a.example/:No. 5 of 1.5 …>");
  assert.equal(outline("[*one*.**2**](https://a.example)"), "<link https://a.example/:<italic:one>.<bold:2>>");
});

test("whatever is written, the parts are the text, and links lead to the web or to mailboxes", () => {
  const random = randomly(7);
  let made = 0;
  const check = (/** @type {any[]} */ parts, depth = 0) => {
    assert.ok(depth < 20);
    for (const part of parts) {
      assert.match(part.kind, /^(text|mark|link|bold|italic|strike|code|block|quote|list|item)$/);
      if (part.kind === "link") assert.match(part.href, /^(https?|mailto):/);
      if (part.parts) {
        made++;
        assert.equal(part.text, undefined);
        check(part.parts, depth + 1);
      }
    }
  };
  for (let i = 0; i < 20_000; i++) {
    const text = anyText(random);
    const parts = parse(text);
    assert.equal(source(parts), text);
    check(parts);
  }
  assert.ok(made > 5_000, "so few marks show nothing");
});

test("long texts of nothing but marks are read in one go", () => {
  for (const piece of [
    "*",
    "*a ",
    "_a ",
    "`",
    "` ",
    "[",
    "[a](",
    "> ",
    "- ",
    "**a* ",
    "~~a ",
    "```\n",
    "\n",
    "https://",
    "()",
  ]) {
    const text = piece.repeat(65_000 / piece.length);
    assert.equal(source(parse(text)), text);
  }
  const link = `https://a.example/${")".repeat(60_000)}`;
  assert.equal(source(parse(link)), link);
});

test("twice as many fences take twice as many looks at a line", () => {
  for (const piece of ["```x\n", "```\n", "```\na\n```\n"]) {
    const looks = [300, 600].map((count) => {
      const looked = mock.method(String.prototype, "endsWith");
      parse(piece.repeat(count));
      looked.mock.restore();
      return looked.mock.callCount();
    });
    const [once = 0, twice = 0] = looks;
    assert.ok(once >= 300 && twice <= 2 * once + 10, `${JSON.stringify(piece)}: ${looks}`);
  }
});

test("a line of a text elsewhere shows no marks", () => {
  assert.equal(shownText("**now**: [menu](https://a.example)\n- a\n- b"), "now: menu\na\nb");
});
