/** Loading conversations and members over REST: nothing is left out, whatever happens meanwhile. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { RequestError } from "../../src/ssechat/web/http.js";
import { BOB, GROUP, loading } from "./loading.js";
import { deferred, fakeBrowser, message, settle } from "./world.js";

beforeEach(() => {
  fakeBrowser();
});

test("the conversations are loaded again when that is asked for meanwhile, as the answer may be too old", async () => {
  const answers = [deferred(), deferred()];
  let asked = 0;
  const { store, sync } = loading({ conversations: () => /** @type {any} */ (answers[asked++])?.promise });
  const loaded = sync.load();
  sync.load();
  sync.load();
  answers[0]?.resolve({ conversations: [], next: null });
  await settle();
  assert.deepEqual([asked, store.loaded], [2, true]);
  answers[1]?.resolve({ conversations: [{ id: "g:1", newest_seq: 1 }], next: "more" });
  await loaded;
  assert.deepEqual([asked, store.next, store.conversation("g:1")?.newest_seq], [2, "more", 1]);
});

test("a message that arrives while the conversations are loaded counts", async () => {
  const answer = deferred();
  const { store, sync } = loading({ conversations: () => /** @type {any} */ (answer.promise) });
  const loaded = sync.load();
  store.apply("message", message(5));
  answer.resolve({ conversations: [{ id: BOB, newest_seq: 4, last_message: message(4) }], next: null });
  await loaded;
  assert.equal(store.ensure(BOB).last_message?.seq, 5);
});

test("a list of conversations that the server refuses says why", async () => {
  const refused = { conversations: () => Promise.reject(new RequestError(403, { code: "odd", detail: "Not you." })) };
  const { store, sync } = loading(refused);
  await sync.load();
  assert.deepEqual([store.error, store.refusal, store.loaded], ["Not you.", "odd", true]);
  const more = loading(refused);
  more.store.next = "more";
  await more.paging.more();
  assert.equal(more.store.error, "Not you.");
});

test("the next page of conversations is loaded once, and only where there is one", async () => {
  /** @type {any[]} */
  const asked = [];
  const { store, paging } = loading({
    /** @param {any[]} queries @returns {Promise<any>} */
    async conversations(...queries) {
      asked.push(...queries);
      return { conversations: [{ id: "g:1" }], next: null };
    },
  });
  await paging.more();
  store.next = "more";
  await Promise.all([paging.more(), paging.more()]);
  assert.deepEqual(asked, [{ limit: 100, before: "more" }]);
  assert.deepEqual([store.next, store.conversation("g:1")?.id], [null, "g:1"]);
});

test("a next page that comes after a reload of the first is left out", async () => {
  const answer = deferred();
  const { store, paging } = loading({ conversations: () => /** @type {any} */ (answer.promise) });
  store.next = "more";
  const loaded = paging.more();
  store.replaceConversations([], "anew", [], () => false);
  answer.resolve({ conversations: [{ id: "g:1" }], next: null });
  await loaded;
  assert.deepEqual([store.next, store.conversation("g:1")], ["anew", undefined]);
});

test("what is read and muted while a next page is loaded counts", async () => {
  const answer = deferred();
  const { store, paging } = loading({ conversations: () => /** @type {any} */ (answer.promise) });
  store.next = "more";
  const loaded = paging.more();
  store.apply("mark", { conversation_id: "g:1", read_up_to: 4, muted: true, unread: 0, mentions: [] });
  store.apply("message", message(5, { sender: store.user }));
  const before = { read_up_to: 3, mentions: [4], muted: false };
  answer.resolve({
    conversations: [
      { id: "g:1", newest_seq: 4, ...before },
      { id: BOB, newest_seq: 4, ...before },
    ],
    next: null,
  });
  await loaded;
  for (const [id, read_up_to, muted] of [
    ["g:1", 4, true],
    [BOB, 5, false],
  ]) {
    const found = store.ensure(/** @type {string} */ (id));
    assert.deepEqual([found.read_up_to, found.mentions, found.muted], [read_up_to, [], muted]);
  }
});

test("one group is loaded again when that is asked for meanwhile, with the events on top", async () => {
  const answers = [deferred(), deferred()];
  let asked = 0;
  const { store, sync } = loading({ conversation: () => /** @type {any} */ (answers[asked++])?.promise });
  const loaded = sync.refresh(GROUP);
  sync.refresh(GROUP);
  answers[0]?.resolve({ id: GROUP, name: "Old", topic: "x", role: "member" });
  await settle();
  assert.deepEqual([asked, store.ensure(GROUP).topic], [2, "x"]);
  store.apply("conversation", { conversation_id: GROUP, name: "Newest", history: "all" });
  answers[1]?.resolve({ id: GROUP, name: "New", role: "member" });
  await loaded;
  assert.deepEqual([store.ensure(GROUP).name, "topic" in store.ensure(GROUP)], ["Newest", false]);
});

test("all members are loaded, page by page, with the events on top", async () => {
  const last = deferred();
  const { store, rosters } = loading({
    /** @param {any} _ @returns {Promise<any>} */
    async members(..._) {
      const [, { after }] = /** @type {any} */ (_);
      if (after === null) return { members: [{ user: "alice", role: "owner" }], next: "alice" };
      return last.promise;
    },
  });
  const loaded = rosters.load(GROUP);
  await settle();
  const event = { conversation_id: GROUP, by: "alice", member_count: 2 };
  store.apply("member", { ...event, users: [{ user: "bob", role: "member" }], left: true });
  last.resolve({ members: [{ user: "bob", role: "member" }], next: null });
  await loaded;
  assert.deepEqual(
    store.ensure(GROUP).roster?.members,
    [
      { user: "bob", role: "member" },
      { user: "alice", role: "owner" },
    ].slice(1),
  );
});

test("members whom the server does not tell are not known", async () => {
  const { store, rosters, attempts } = loading({ members: () => Promise.reject(new RequestError(403)) });
  await rosters.load(GROUP);
  assert.equal(store.ensure(GROUP).roster, undefined);
  attempts.close();
  await rosters.load(GROUP);
  assert.equal(store.ensure(GROUP).roster, undefined);
});
