/** The state of the user's conversations. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTombstone } from "../../src/ssechat/web/conversation.js";
import { Store } from "../../src/ssechat/web/store.js";
import { Thread } from "../../src/ssechat/web/thread.js";
import { collect, message } from "./world.js";

const BOB = "dm:alice:bob";
const CAROL = "dm:alice:carol";

/** A conversation as a page lists it. @param {string} id @param {number} seq */
const listed = (id, seq) => ({ id, newest_seq: seq, last_message: message(seq, { conversation_id: id }) });

/** @param {Store} store */
const ids = (store) => store.conversations.map(({ id }) => id);

test("conversations are sorted by their latest message, whether a page or the stream brought it", () => {
  const store = new Store("alice");
  store.addConversations([listed(BOB, 1), listed("g:1", 2)], null);
  assert.deepEqual(ids(store), ["g:1", BOB]);
  store.apply("message", message(3));
  assert.deepEqual(ids(store), [BOB, "g:1"]);
});

test("an unknown conversation is made from its id", () => {
  const store = new Store("alice");
  const { type, members } = store.ensure(BOB);
  assert.deepEqual([type, members], ["dm", ["alice", "bob"]]);
  assert.deepEqual([store.ensure("g:1").type, store.ensure("g:1").members], ["group", []]);
  assert.equal(store.ensure(BOB), store.conversation(BOB));
});

test("a conversation's title is its name, else the other member, else a word", () => {
  const store = new Store("alice");
  store.addConversations([{ id: "g:1", name: "Friends" }], null);
  assert.equal(store.title(store.ensure("g:1")), "Friends");
  assert.equal(store.title(store.ensure(BOB)), "bob");
  assert.equal(store.title(store.ensure("dm:alice:alice")), "alice");
  assert.equal(store.title(store.ensure("g:2")), "Group");
});

test("a message tells its conversation's listeners once, however often it comes", () => {
  const store = new Store("alice");
  const changes = collect(store, "change");
  assert.equal(store.apply("message", message(1)), true);
  assert.equal(store.apply("message", message(1)), false);
  assert.deepEqual(changes, [BOB]);
});

test("the last message is the newest in its newest version", () => {
  const store = new Store("alice");
  for (const one of [message(2), message(1), message(2, { version: 5, text: "edited" }), message(2, { version: 4 })]) {
    store.apply("message", one);
  }
  const { last_message, newest_seq } = store.ensure(BOB);
  assert.deepEqual([last_message?.text, newest_seq], ["edited", 2]);
});

test("a page of conversations that is older than what the stream brought takes nothing back", () => {
  const store = new Store("alice");
  store.apply("message", message(5));
  store.addConversations([listed(BOB, 4)], "more");
  const { last_message, newest_seq } = store.ensure(BOB);
  assert.deepEqual([last_message?.seq, newest_seq, store.next, store.loaded], [5, 5, "more", true]);
});

test("the first page replaces the list, with the messages on top that arrived while it was under way", () => {
  const store = new Store("alice");
  store.apply("message", message(9));
  store.fail("no");
  const journal = store.journal();
  store.apply("message", message(4));
  journal.stop();
  store.apply("message", message(8));
  store.replaceConversations([listed(BOB, 3)], null, journal.events, () => false);
  const { last_message, newest_seq } = store.ensure(BOB);
  assert.deepEqual([last_message?.seq, newest_seq], [4, 4]); // history was lost: the page counts, then the journal
  assert.equal(store.error, "");
});

test("a conversation that the first page lacks stays if it is wanted, with its thread", () => {
  const store = new Store("alice");
  for (const id of [BOB, CAROL]) store.apply("message", message(1, { conversation_id: id }));
  store.ensure(CAROL).thread.applyNewest([message(1)], false);
  const { thread } = store.ensure(CAROL);
  store.replaceConversations([listed("g:1", 3)], null, [], ({ id }) => id === CAROL);
  assert.deepEqual(ids(store).sort(), [CAROL, "g:1"]);
  assert.equal(store.ensure(CAROL).thread, thread);
});

test("a conversation that the first page lists keeps its thread", () => {
  const store = new Store("alice");
  const { thread } = store.ensure(BOB);
  store.replaceConversations([listed(BOB, 3)], null, [], () => false);
  assert.equal(store.ensure(BOB).thread, thread);
});

test("a thread that was loaded anew has the messages of its journal, and of its conversation alone", () => {
  const store = new Store("alice");
  const changes = collect(store, "change");
  const journal = store.journal();
  store.apply("message", message(3));
  store.apply("message", message(2, { conversation_id: CAROL }));
  const fresh = new Thread();
  fresh.applyNewest([message(1), message(2)], false);
  changes.length = 0;
  store.replaceThread(BOB, fresh, journal.events);
  assert.deepEqual(
    store.ensure(BOB).thread.messages.map(({ seq }) => seq),
    [1, 2, 3],
  );
  assert.deepEqual(changes, [BOB]);
});

test("a thread that is dropped is loaded again, as it is empty", () => {
  const store = new Store("alice");
  store.ensure(BOB).thread.applyNewest([message(1)], false);
  store.dropThread(BOB);
  assert.equal(store.ensure(BOB).thread.loaded, false);
});

test("a thread's newest message is the last message of its conversation", () => {
  const store = new Store("alice");
  store.ensure(BOB).thread.applyNewest([message(1), message(2)], false);
  store.touch(BOB);
  assert.equal(store.ensure(BOB).last_message?.seq, 2);
});

test("an event of an unknown kind changes nothing", () => {
  const store = new Store("alice");
  const changes = collect(store, "change");
  const journal = store.journal();
  assert.equal(store.apply("unheard_of", { conversation_id: BOB }), false);
  assert.deepEqual([changes, journal.events, ids(store)], [[], [], []]);
});

test("a journal keeps durable events and no ephemeral ones", () => {
  const applied = () => true;
  const store = new Store(
    "alice",
    new Map([
      ["poll", { durable: true, apply: applied }],
      ["typing", { durable: false, apply: applied }],
    ]),
  );
  const journal = store.journal();
  store.apply("poll", { conversation_id: BOB });
  store.apply("typing", { conversation_id: BOB });
  assert.deepEqual(journal.events, [{ type: "poll", data: { conversation_id: BOB } }]);
});

test("a tombstone has no text", () => {
  assert.equal(isTombstone(message(1)), false);
  assert.equal(isTombstone(message(1, { deleted: true })), true);
  assert.equal(isTombstone(message(1, { text: undefined })), true);
});
