/** How far the user has read. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ReadMarks } from "../../src/ssechat/web/reads.js";
import { Store } from "../../src/ssechat/web/store.js";
import { collect, fakeBrowser, message } from "./world.js";

const BOB = "dm:alice:bob";
const KEY = "ssechat:read:alice";

/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
});

/** Conversations with these messages. @param {any[]} messages */
function conversations(...messages) {
  const store = new Store("alice");
  for (const one of messages) store.apply("message", one);
  return store.conversations;
}

/** Another tab marks. @param {Record<string, number>} marks */
function markElsewhere(marks) {
  browser.localStorage.setItem(KEY, JSON.stringify(marks));
  browser.window.dispatchEvent(Object.assign(new Event("storage"), { key: KEY }));
}

test("a mark never goes down, and survives a reload", () => {
  const reads = new ReadMarks("alice");
  assert.equal(reads.upTo(BOB), 0);
  assert.equal(reads.mark(BOB, 5), true);
  assert.equal(reads.mark(BOB, 5), false);
  assert.equal(reads.mark(BOB, 3), false);
  assert.equal(new ReadMarks("alice").upTo(BOB), 5);
  assert.equal(new ReadMarks("carol").upTo(BOB), 0);
});

test("tabs share marks, and the higher one counts", () => {
  const reads = new ReadMarks("alice");
  const changes = collect(reads, "change");
  reads.mark(BOB, 5);
  markElsewhere({ [BOB]: 3, "g:1": 9 });
  assert.deepEqual([reads.upTo(BOB), reads.upTo("g:1"), changes.length], [5, 9, 1]);
  browser.localStorage.setItem(KEY, JSON.stringify({ [BOB]: 8 })); // the event is still under way
  reads.mark(BOB, 6);
  assert.equal(reads.upTo(BOB), 8);
  browser.window.dispatchEvent(Object.assign(new Event("storage"), { key: "another" }));
  assert.equal(changes.length, 1);
});

test("a mark is lowered where the server lost history", () => {
  const reads = new ReadMarks("alice");
  reads.mark(BOB, 5);
  reads.lower(BOB, 9);
  assert.equal(reads.upTo(BOB), 5);
  reads.lower(BOB, 2);
  assert.equal(new ReadMarks("alice").upTo(BOB), 2);
});

test("in a browser that is new to the user, older messages are read, but for the last one of somebody else", () => {
  const reads = new ReadMarks("alice");
  reads.begin(conversations(message(7), message(4, { conversation_id: "g:1", sender: "alice" })), "alice");
  assert.deepEqual([reads.upTo(BOB), reads.upTo("g:1")], [6, 4]);
});

test("what begins later is unread, after a reload too", () => {
  new ReadMarks("alice").begin(conversations(message(7)), "alice");
  const reads = new ReadMarks("alice");
  reads.begin(conversations(message(7), message(9, { conversation_id: "g:1" })), "alice");
  assert.deepEqual([reads.upTo(BOB), reads.upTo("g:1")], [6, 0]);
});

test("the first conversation of a user who has none yet is unread", () => {
  const reads = new ReadMarks("alice");
  reads.begin([], "alice");
  reads.begin(conversations(message(1)), "alice");
  assert.equal(reads.upTo(BOB), 0);
});

test("closed marks follow no other tab", () => {
  const reads = new ReadMarks("alice");
  reads.close();
  markElsewhere({ [BOB]: 3 });
  assert.equal(reads.upTo(BOB), 0);
});

test("what was written before one joined a group is read once the first message comes", () => {
  const reads = new ReadMarks("alice");
  reads.joined("g:1");
  assert.equal(reads.isNew("g:1"), true);
  reads.arrived("g:1", 8);
  reads.arrived("g:1", 20);
  assert.deepEqual([reads.isNew("g:1"), reads.upTo("g:1")], [false, 7]);
  reads.close();
});
