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
  const refused = { conversations: () => Promise.reject(new RequestError(403, { detail: "Not you." })) };
  const { store, sync } = loading(refused);
  await sync.load();
  assert.deepEqual([store.error, store.loaded], ["Not you.", true]);
  const more = loading(refused);
  more.store.next = "more";
  await more.sync.moreConversations();
  assert.equal(more.store.error, "Not you.");
});

test("the next page of conversations is loaded once, and only where there is one", async () => {
  /** @type {any[]} */
  const asked = [];
  const { store, sync } = loading({
    /** @param {any[]} queries @returns {Promise<any>} */
    async conversations(...queries) {
      asked.push(...queries);
      return { conversations: [{ id: "g:1" }], next: null };
    },
  });
  await sync.moreConversations();
  store.next = "more";
  await Promise.all([sync.moreConversations(), sync.moreConversations()]);
  assert.deepEqual(asked, [{ limit: 100, before: "more" }]);
  assert.deepEqual([store.next, store.conversation("g:1")?.id], [null, "g:1"]);
});

test("a next page that comes after a reload of the first is left out", async () => {
  const answer = deferred();
  const { store, sync } = loading({ conversations: () => /** @type {any} */ (answer.promise) });
  store.next = "more";
  const loaded = sync.moreConversations();
  store.replaceConversations([], "anew", [], () => false);
  answer.resolve({ conversations: [{ id: "g:1" }], next: null });
  await loaded;
  assert.deepEqual([store.next, store.conversation("g:1")], ["anew", undefined]);
});
