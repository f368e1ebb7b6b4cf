/** The messages of one conversation. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Thread } from "../../src/ssechat/web/thread.js";
import { message } from "./world.js";

/** @param {Thread} thread */
const seqs = (thread) => thread.messages.map(({ seq }) => seq);

/** @param {number[]} numbers */
const messages = (...numbers) => numbers.map((seq) => message(seq));

test("a live message beyond a hole is shown when the hole is filled, not before", () => {
  const thread = new Thread();
  thread.applyNewest(messages(1, 2), false);
  thread.apply(message(5));
  assert.equal(thread.hasHole, true);
  assert.deepEqual(seqs(thread), [1, 2]);
  thread.applyNewer(messages(3), true);
  assert.deepEqual(seqs(thread), [1, 2, 3]);
  thread.applyNewer(messages(4), false);
  assert.equal(thread.hasHole, false);
  assert.deepEqual(seqs(thread), [1, 2, 3, 4, 5]);
});

test("live messages that follow each other are shown at once, whatever their order", () => {
  const thread = new Thread();
  thread.applyNewest(messages(1), false);
  thread.apply(message(3));
  thread.apply(message(2));
  assert.deepEqual(seqs(thread), [1, 2, 3]);
});

test("a newer version of a message replaces the older one, and never the other way round", () => {
  const thread = new Thread();
  thread.applyNewest(messages(1), false);
  assert.equal(thread.apply(message(1, { version: 7, text: "edited" })), true);
  assert.equal(thread.apply(message(1, { version: 7, text: "again" })), false);
  assert.equal(thread.apply(message(1, { version: 3, text: "late" })), false);
  thread.applyNewest([message(1, { version: 3, text: "of an old page" })], false);
  assert.deepEqual(
    thread.messages.map(({ text }) => text),
    ["edited"],
  );
});

test("a message before the first page changes nothing, as its page will bring it", () => {
  const thread = new Thread();
  thread.applyNewest(messages(5, 6), true);
  assert.equal(thread.apply(message(4, { version: 9 })), false);
  assert.deepEqual(seqs(thread), [5, 6]);
});

test("a message that arrives before the first page is shown with it", () => {
  const thread = new Thread();
  assert.equal(thread.apply(message(3)), true);
  assert.deepEqual(seqs(thread), []);
  assert.equal(thread.hasHole, false);
  thread.applyNewest(messages(1, 2), false);
  assert.deepEqual(seqs(thread), [1, 2, 3]);
});

test("pages of history extend a thread to its beginning", () => {
  const thread = new Thread();
  thread.applyNewest(messages(5, 6), true);
  thread.applyOlder(messages(3, 4), true);
  assert.deepEqual([thread.low, thread.hasOlder], [3, true]);
  thread.applyOlder([], true);
  assert.deepEqual([thread.low, thread.hasOlder], [3, false]);
  assert.deepEqual(seqs(thread), [3, 4, 5, 6]);
});

test("a seq that the last page after the end skips does not exist any more", () => {
  const thread = new Thread();
  thread.applyNewest(messages(1), false);
  thread.apply(message(9));
  thread.applyNewer([], false);
  assert.equal(thread.hasHole, false);
  assert.deepEqual(seqs(thread), [1, 9]);
});

test("an empty conversation is loaded, and its first message is shown", () => {
  const thread = new Thread();
  thread.applyNewest([], false);
  assert.equal(thread.loaded, true);
  thread.apply(message(1));
  assert.deepEqual(seqs(thread), [1]);
});

test("versions of messages in any order leave the newest of each", () => {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647; // Lehmer: the same each time
    return state / 2_147_483_647;
  };
  for (let round = 0; round < 200; round++) {
    const versions = Array.from({ length: 12 }, (_, i) => message(1 + (i % 4), { version: 10 + i, text: `v${i}` }));
    const shuffled = versions
      .map((one) => ({ one, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ one }) => one);
    const thread = new Thread();
    const loadedAt = Math.floor(random() * 12);
    for (const [at, one] of shuffled.entries()) {
      if (at === loadedAt) thread.applyNewest(versions.slice(0, 4), false);
      thread.apply(one);
    }
    assert.deepEqual(
      thread.messages.map(({ text }) => text),
      ["v8", "v9", "v10", "v11"],
    );
  }
});

test("a range around an old message has no hole, and grows to the newest", () => {
  const thread = new Thread();
  thread.hasNewer = true;
  thread.applyNewest(messages(10, 11, 12), true);
  thread.apply(message(20));
  assert.deepEqual([thread.hasHole, seqs(thread), thread.get(11)?.seq], [false, [10, 11, 12], 11]);
  thread.applyNewer(messages(13, 14), true);
  assert.deepEqual([thread.hasNewer, thread.hasHole], [true, false]);
  thread.applyNewer(messages(15, 16, 17, 18, 19, 20), false);
  assert.deepEqual([thread.hasNewer, seqs(thread)], [false, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]]);
});

test("a message without a version, which one may not read any more, replaces what is known", () => {
  const thread = new Thread();
  thread.applyNewest(messages(1), false);
  const gone = /** @type {any} */ ({ conversation_id: "g:1", seq: 1, deleted: true });
  assert.equal(thread.apply(gone), true);
  assert.equal(thread.messages[0]?.deleted, true);
});
