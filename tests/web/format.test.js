/** Times, names and text, as a person reads them. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  badge,
  clock,
  dayName,
  dayOf,
  exactTime,
  shortTime,
  showsNothing,
  splitLinks,
} from "../../src/ssechat/web/format.js";
import { canonicalName, directConversationId, isName, newMessageId } from "../../src/ssechat/web/ids.js";

const NOW = new Date(2026, 0, 15, 12); // a Thursday

/** @param {number} days */
const ago = (days) => new Date(2026, 0, 15 - days, 23, 59);

test("a day is named by how long ago it was", () => {
  assert.equal(dayName(ago(0), NOW), "Today");
  assert.equal(dayName(ago(1), NOW), "Yesterday");
  assert.match(dayName(ago(6), NOW), /^Friday$/);
  assert.match(dayName(ago(7), NOW), /^Thursday,? .*8/);
  assert.doesNotMatch(dayName(ago(7), NOW), /2026/);
  assert.match(dayName(ago(40), NOW), /2025/);
});

test("a time in the list is the clock today, else the day", () => {
  assert.equal(shortTime(ago(0), NOW), clock(ago(0)));
  assert.equal(shortTime(ago(1), NOW), "Yesterday");
  assert.match(shortTime(ago(3), NOW), /^Monday$/);
  assert.match(shortTime(ago(10), NOW), /5/);
  assert.match(shortTime(ago(40), NOW), /2025/);
  assert.match(exactTime(ago(0)), /2026.*59/);
});

test("days follow each other, over a change of the clock too", () => {
  for (let day = 0; day < 400; day++) {
    assert.equal(dayOf(new Date(2026, 0, day + 1, 0, 30)) - dayOf(new Date(2026, 0, day, 23, 30)), 1);
  }
});

test("a badge has two digits at most", () => {
  assert.deepEqual([badge(1), badge(99), badge(100)], ["1", "99", "99+"]);
});

test("a text that shows nothing is white space and characters without width", () => {
  for (const text of ["", " \n\t", "\u200b\u2060", "\u2800", "\u00ad", "\u0000"])
    assert.equal(showsNothing(text), true);
  for (const text of ["a", " . ", "\u200bé", "👍"]) assert.equal(showsNothing(text), false);
});

test("links are found without the punctuation around them, and the parts are the text", () => {
  for (const [text, ...hrefs] of [
    ["see https://a.example/x.", "https://a.example/x"],
    ["(https://a.example/x_(y)) and HTTP://b.example!", "https://a.example/x_(y)", "http://b.example/"],
    ["“https://a.example/?q=1&r=2”, then", "https://a.example/?q=1&r=2"],
    ["https://[::1]:80/", "https://[::1]:80/"],
    ["javascript:alert(1) ftp://a.example xhttps://a.example https:// https://."],
    ["<b>no</b> link"],
    [""],
  ]) {
    const parts = splitLinks(text ?? "");
    assert.equal(parts.map((part) => part.text).join(""), text);
    assert.deepEqual(
      parts.flatMap(({ href }) => href ?? []),
      hrefs,
    );
  }
});

test("a link with many brackets at its end is read through as often as one with few", () => {
  const reads = [1, 500].map((count) => {
    const mocks = [mock.method(String.prototype, "split"), mock.method(String.prototype, "slice")];
    const parts = splitLinks(`https://a.example/(b${")".repeat(count)}.`);
    for (const one of mocks) one.mock.restore();
    assert.equal(parts[0]?.text, "https://a.example/(b)");
    return mocks.map((one) => one.mock.callCount());
  });
  assert.deepEqual(reads[1], reads[0]);
});

test("a name is the same whatever its case and width, and an invalid one stays invalid", () => {
  assert.equal(canonicalName("Ａlice"), "alice");
  assert.deepEqual(["alice", "a.b@c+d", "0"].map(isName), [true, true, true]);
  assert.deepEqual(["", "-a", "a b", "a:b", "é", "a".repeat(129)].map(isName), Array(6).fill(false));
});

test("a direct conversation has one id for both members", () => {
  assert.equal(directConversationId("Bob", "alice"), "dm:alice:bob");
  assert.equal(directConversationId("alice", "Bob"), "dm:alice:bob");
  assert.equal(directConversationId("a", "a"), "dm:a:a");
});

test("a message's id is random, 32 hexadecimal digits", () => {
  const ids = Array.from({ length: 1000 }, newMessageId);
  assert.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)));
  assert.equal(new Set(ids).size, 1000);
});
