/** What the user has read: what the server is told, and what follows from a mark. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Attempts } from "../../src/ssechat/web/attempts.js";
import { newConversation } from "../../src/ssechat/web/conversation.js";
import { RequestError } from "../../src/ssechat/web/http.js";
import { applyMark, raiseMark } from "../../src/ssechat/web/marks.js";
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
function reads(
  answer = async (up_to) => ({ conversation_id: BOB, read_up_to: up_to, muted: false, unread: 0, mentions: [] }),
) {
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

test("what another tab has read and not told is told, too", async () => {
  const [first, second] = [reads(() => Promise.reject(new RequestError(0))), reads()];
  first.reads.mark("dm:alice:carol", 7);
  first.reads.mark(BOB, 5);
  second.reads.mark(BOB, 3);
  await settle();
  first.attempts.close();
  const last = reads();
  assert.deepEqual([last.reads.pending("dm:alice:carol"), last.reads.pending(BOB), second.told], [7, 5, [3]]);
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

test("a mark is taken over, and never falls", () => {
  const conversation = readUpTo(2, [3, 5]);
  /** @type {(read_up_to: number, mentions: number[], muted?: boolean) => boolean} */
  const apply = (read_up_to, mentions, muted = false) =>
    applyMark(conversation, { read_up_to, muted, unread: 9, mentions });
  assert.equal(apply(4, [5]), true);
  assert.deepEqual([conversation.read_up_to, conversation.mentions], [4, [5]]);
  assert.equal(raiseMark(conversation, 3), false);
  assert.equal(apply(1, [3, 5], true), true);
  assert.deepEqual([conversation.read_up_to, conversation.muted, conversation.mentions], [4, true, [5]]);
  assert.equal(apply(1, [5], true), false);
  assert.equal(apply(4, [], true), true, "a mention counts while its message has it");
  assert.equal(raiseMark(newConversation(BOB), 3), false, "it is not known yet");
  assert.equal(applyMark(newConversation(BOB), { read_up_to: 3, muted: false, unread: 0, mentions: [] }), false);
});

test("a message tells what is left, and one's own raises the mark", () => {
  const store = new Store("alice");
  store.addConversations(
    [{ id: BOB, type: "dm", members: ["alice", "bob"], read_up_to: 1, mentions: [], muted: false }],
    null,
  );
  const conversation = store.ensure(BOB);
  const mark = { read_up_to: 1, muted: false, unread: 2, mentions: [3] };
  assert.equal(store.apply("message", { ...message(3, { mentions: ["alice"] }), mark }), true);
  assert.deepEqual([conversation.read_up_to, conversation.mentions], [1, [3]]);
  assert.equal("mark" in (conversation.last_message ?? {}), false, "it is no part of the message");
  assert.equal(
    store.apply("message.updated", { ...message(3, { mentions: ["alice"] }), mark: { ...mark, mentions: [] } }),
    true,
  );
  assert.deepEqual(conversation.mentions, []);
  store.apply("message", message(4, { sender: "alice" }));
  assert.equal(conversation.read_up_to, 4, "the answer is there before the event");
});
