/** What the user has read: what the server is told, and what follows from a mark. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Attempts } from "../../src/ssechat/web/attempts.js";
import { newConversation } from "../../src/ssechat/web/conversation.js";
import { RequestError } from "../../src/ssechat/web/http.js";
import { applyMark, noteMessage, raiseMark } from "../../src/ssechat/web/marks.js";
import { Reads } from "../../src/ssechat/web/reads.js";
import { Store } from "../../src/ssechat/web/store.js";
import { fakeBrowser, message, pass, settle } from "./world.js";

const BOB = "dm:alice:bob";

beforeEach(() => fakeBrowser());

/** A conversation that is read up to this seq. @param {number} seq @param {number[]} mentions */
const readUpTo = (seq, mentions = []) => ({ ...newConversation(BOB), read_up_to: seq, mentions });

/**
 * Reads of a store with a conversation, and what the server was told.
 *
 * @param {(up_to: number) => Promise<any>} [answer]
 */
function reads(answer = async (up_to) => ({ conversation_id: BOB, read_up_to: up_to, muted: false })) {
  /** @type {number[]} */
  const told = [];
  const client = {
    markRead(/** @type {string} */ _, /** @type {number} */ up_to) {
      told.push(up_to);
      return answer(up_to);
    },
  };
  const store = new Store("alice");
  store.ensure(BOB).read_up_to = 0;
  const attempts = new Attempts();
  return { store, told, attempts, reads: new Reads(/** @type {any} */ ({ conversations: client }), store, attempts) };
}

test("the server is told at once, and of what follows once a second", async () => {
  const { store, told, reads: mine } = reads();
  for (const seq of [1, 2, 5, 4]) {
    mine.mark(BOB, seq);
    await settle();
  }
  assert.deepEqual([told, mine.pending(BOB)], [[1], 5]);
  await pass(1_000);
  assert.deepEqual([told, mine.pending(BOB), store.ensure(BOB).read_up_to], [[1, 5], 0, 5]);
});

test("a refusal is the end of it, and a loss of history makes it forget", async () => {
  const { told, reads: mine } = reads(() => Promise.reject(new RequestError(403, { code: "not_a_member" })));
  mine.mark(BOB, 1);
  await settle();
  await pass(5_000);
  assert.deepEqual([told, mine.pending(BOB)], [[1], 0]);
  mine.mark(BOB, 9);
  mine.forget();
  assert.equal(mine.pending(BOB), 0);
});

test("what an earlier page had no time to tell is told by the next one", async () => {
  const first = reads();
  first.reads.mark(BOB, 1);
  await settle();
  first.reads.mark(BOB, 3);
  first.attempts.close();
  const second = reads();
  assert.equal(second.reads.pending(BOB), 3);
  second.reads.start();
  await settle();
  assert.deepEqual([first.told, second.told, second.reads.pending(BOB), reads().reads.pending(BOB)], [[1], [3], 0, 0]);
  second.attempts.close();
});

test("what could not be told before the end is told by the next page", async () => {
  for (const status of [0, 401]) {
    fakeBrowser();
    const { told, attempts, reads: mine } = reads(() => Promise.reject(new RequestError(status)));
    mine.mark(BOB, 3);
    await settle();
    attempts.close();
    await pass(5_000);
    assert.deepEqual([told, mine.pending(BOB)], [[3], 3]);
    const next = reads();
    next.reads.start();
    await settle();
    assert.deepEqual([next.told, next.reads.pending(BOB)], [[3], 0]);
    next.attempts.close();
  }
});

test("nothing is told of a group that the user has left", async () => {
  const { store, told, reads: mine } = reads();
  mine.mark(BOB, 1);
  await settle();
  mine.mark(BOB, 2);
  store.ensure(BOB).left = "removed";
  await pass(1_000);
  assert.deepEqual([told, mine.pending(BOB)], [[1], 0]);
});

test("a mark rises only, and takes the mentions with it that it passes", () => {
  const conversation = readUpTo(2, [3, 5]);
  assert.equal(applyMark(conversation, { conversation_id: BOB, read_up_to: 4, muted: false }), true);
  assert.deepEqual([conversation.read_up_to, conversation.mentions], [4, [5]]);
  assert.equal(raiseMark(conversation, 3), false);
  assert.equal(applyMark(conversation, { conversation_id: BOB, read_up_to: 1, muted: true }), true);
  assert.deepEqual([conversation.read_up_to, conversation.muted], [4, true]);
  assert.equal(applyMark(conversation, { conversation_id: BOB, read_up_to: 1, muted: true }), false);
  assert.equal(raiseMark(newConversation(BOB), 3), false, "it is not known yet");
});

test("a mention counts while its message has it, and one's own message raises the mark", () => {
  const conversation = readUpTo(1);
  noteMessage(conversation, message(3, { mentions: ["alice"] }), "alice");
  noteMessage(conversation, message(2, { mentions: ["alice"] }), "alice");
  noteMessage(conversation, message(1, { mentions: ["alice"] }), "alice");
  assert.deepEqual(conversation.mentions, [2, 3]);
  noteMessage(conversation, message(2, { deleted: true }), "alice");
  assert.deepEqual(conversation.mentions, [3]);
  noteMessage(conversation, message(4, { sender: "alice" }), "alice");
  assert.deepEqual([conversation.read_up_to, conversation.mentions], [4, []]);
});
