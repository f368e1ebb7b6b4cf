/** Mentions in a text. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { mentionAt, mentionsIn, namesFor, splitMentions } from "../../src/ssechat/web/mentions.js";

const MEMBERS = ["bob", "bob.smith", "carol@example.org", "eve"];

/** @param {string} text @param {string[]} users */
const found = (text, users = MEMBERS) =>
  splitMentions(text, users).flatMap(({ user }) => (user === null ? [] : [user]));

test("a mention is an @ before the name of a user who is mentioned, and the parts are the text", () => {
  for (const [text, expected] of /** @type {[string, string[]][]} */ ([
    ["@bob hi", ["bob"]],
    ["hi @Bob, and (@eve)!", ["bob", "eve"]],
    ["ask @bob.", ["bob"]],
    ["@bob.smith", ["bob.smith"]],
    ["@bob.smithers", ["bob"]],
    ["mail carol@example.org", []],
    ["@carol@example.org", ["carol@example.org"]],
    ["@bobby @zoe @ bob", []],
    ["x@bob", []],
    ["👍@bob", ["bob"]],
    ["@bob@eve", ["bob"]],
    ["", []],
  ])) {
    assert.deepEqual(found(text), expected, text);
    const parts = splitMentions(text, MEMBERS);
    assert.equal(parts.map((part) => part.text).join(""), text);
  }
  assert.deepEqual(splitMentions("@bob", []), [{ text: "@bob", user: null }]);
});

test("a message mentions each user once, and at most fifty", () => {
  assert.deepEqual(mentionsIn("@bob @eve @bob", MEMBERS), ["bob", "eve"]);
  const many = Array.from({ length: 60 }, (_, i) => `user${i}`);
  assert.equal(mentionsIn(many.map((name) => `@${name}`).join(" "), many).length, 50);
});

test("a name is being typed after an @ that begins a word", () => {
  assert.deepEqual(mentionAt("hi @Bo", 6), { start: 3, typed: "bo" });
  assert.deepEqual(mentionAt("(@", 2), { start: 1, typed: "" });
  assert.deepEqual(mentionAt("@bob and more", 4), { start: 0, typed: "bob" });
  assert.equal(mentionAt("hi @bob ", 8), null);
  const long = `${"x".repeat(1_000)}\n@`; // of a text only the end is read
  assert.deepEqual(mentionAt(`${long}${"b".repeat(128)}`, 1_130), { start: 1_001, typed: "b".repeat(128) });
  assert.equal(mentionAt(`${long}${"b".repeat(130)}`, 1_132), null);
  assert.equal(mentionAt("mail@bob", 8), null);
  assert.equal(mentionAt("hi", 2), null);
  assert.equal(mentionAt("", 0), null);
});

test("names that begin with what is typed come before those that contain it", () => {
  assert.deepEqual(namesFor("b", ["abe", "bob", "carol"]), ["bob", "abe"]);
  assert.deepEqual(namesFor("", ["a", "b", "c"], 2), ["a", "b"]);
});
