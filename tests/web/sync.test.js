/** Loading over REST: nothing is left out, whatever happens meanwhile. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { RequestError } from "../../src/ssechat/web/http.js";
import { Store } from "../../src/ssechat/web/store.js";
import { Sync } from "../../src/ssechat/web/sync.js";
import { collect, deferred, fakeBrowser, message, pass, settle } from "./world.js";

const BOB = "dm:alice:bob";

beforeEach(() => {
  fakeBrowser();
});

/**
 * A server with a history of `count` messages, whose pages have at most `pageSize`.
 *
 * @param {number} count
 * @param {number} pageSize
 */
function history(count, pageSize = 200) {
  const every = Array.from({ length: count }, (_, i) => message(i + 1));
  /** @type {any[]} */
  const requests = [];
  return {
    every,
    requests,
    /** @param {string} _ @param {{before?: any, after?: number, limit?: number}} query @returns {Promise<any>} */
    async messages(_, query) {
      requests.push(query);
      const { before, after, limit = 50 } = query;
      const size = Math.min(limit, pageSize);
      const found = every.filter(({ seq }) => (before ? seq < before : seq > (after ?? 0)));
      const messages = after === undefined ? found.slice(-size) : found.slice(0, size);
      return { messages, has_more: found.length > messages.length };
    },
    /** @returns {Promise<any>} */
    async conversations() {
      return { conversations: [], next: null };
    },
  };
}

/** A sync with its store. @param {Partial<ReturnType<typeof history>>} client */
function synced(client) {
  const store = new Store("alice");
  const sync = new Sync({ ...history(0), ...client }, store, () => true);
  const { thread } = store.ensure(BOB);
  return { store, sync, thread, unauthorized: collect(sync, "unauthorized") };
}

/** @param {Store} store */
const seqs = (store) => store.ensure(BOB).thread.messages.map(({ seq }) => seq);

/** @param {number} first @param {number} last */
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test("pages that are shorter than asked for leave nothing out of a thread that is opened", async () => {
  const { store, sync, thread } = synced(history(300, 4));
  await sync.openThread(BOB, 20);
  assert.deepEqual([seqs(store), thread.hasOlder], [range(281, 300), true]);
});

test("a short history is loaded whole", async () => {
  const { store, sync, thread } = synced(history(10, 4));
  await sync.openThread(BOB, 20);
  assert.deepEqual([seqs(store), thread.hasOlder], [range(1, 10), false]);
});

test("unread messages are loaded with few requests, though they are many", async () => {
  const client = history(300, 4);
  const { store, sync } = synced(client);
  await sync.openThread(BOB, 150);
  assert.equal(client.requests.length, 8);
  assert.deepEqual(seqs(store), range(300 - 8 * 4 + 1, 300));
});

test("a page asks for what is unread and some before it", async () => {
  const client = history(0);
  const { sync } = synced(client);
  await sync.openThread(BOB, 100);
  assert.deepEqual(client.requests, [{ limit: 125 }]);
});

test("a thread that is loaded, or being loaded, is not loaded twice", async () => {
  const client = history(3);
  const { sync } = synced(client);
  await Promise.all([sync.openThread(BOB), sync.openThread(BOB)]);
  await sync.openThread(BOB);
  assert.equal(client.requests.length, 1);
});

test("older pages load the whole history, and one page at a time", async () => {
  const client = history(300, 4);
  const { store, sync, thread } = synced(client);
  await sync.openThread(BOB);
  await Promise.all([sync.older(BOB), sync.older(BOB)]);
  assert.equal(client.requests.length, 2);
  while (thread.hasOlder) await sync.older(BOB);
  assert.deepEqual([seqs(store), thread.loadingOlder], [range(1, 300), false]);
});

test("a hole before a live message is filled, however many pages that takes", async () => {
  const client = history(300, 4);
  const { store, sync, thread } = synced(client);
  thread.applyNewest(client.every.slice(0, 3), false);
  store.apply("message", client.every[299]);
  await Promise.all([sync.fill(BOB), sync.fill(BOB)]);
  assert.deepEqual(seqs(store), range(1, 300));
  assert.equal(client.requests.length, 296 / 4);
});

test("a thread is loaded anew as far back as it was", async () => {
  for (const [large, first, older] of /** @type {const} */ ([
    [120, 181, true],
    [300, 1, false],
  ])) {
    const client = history(300, 4);
    const { store, sync, thread } = synced(client);
    thread.applyNewest(client.every.slice(-large), true);
    await sync.reloadThread(BOB);
    assert.deepEqual([seqs(store), store.ensure(BOB).thread.hasOlder], [range(first, 300), older]);
  }
});

test("a thread that is loaded anew has what arrived meanwhile", async () => {
  const page = deferred();
  const client = history(3);
  const { store, sync, thread } = synced({ messages: () => page.promise });
  thread.applyNewest(client.every.slice(0, 2), false);
  const reloaded = sync.reloadThread(BOB);
  store.apply("message", message(4));
  store.apply("message", message(2, { version: 9, text: "edited" }));
  page.resolve({ messages: client.every, has_more: false });
  await reloaded;
  assert.deepEqual(seqs(store), [1, 2, 3, 4]);
  assert.equal(store.ensure(BOB).thread.messages[1]?.text, "edited");
});

test("of two reloads of a thread, the one that was asked for later counts", async () => {
  const pages = [deferred(), deferred()];
  let asked = 0;
  const { store, sync } = synced({ messages: () => /** @type {any} */ (pages[asked++])?.promise });
  const reloads = [sync.reloadThread(BOB), sync.reloadThread(BOB)];
  pages[1]?.resolve({ messages: [message(1), message(2)], has_more: false });
  await settle();
  pages[0]?.resolve({ messages: [message(1)], has_more: false });
  await Promise.all(reloads);
  assert.deepEqual(seqs(store), [1, 2]);
});

test("a reload that is refused leaves what is shown", async () => {
  const { store, sync, thread } = synced({ messages: () => Promise.reject(new RequestError(403)) });
  thread.applyNewest([message(1)], false);
  thread.apply(message(3));
  await sync.reloadThread(BOB);
  assert.deepEqual([seqs(store), thread.hasHole], [[1], true]);
});

test("a conversation that does not exist yet is empty", async () => {
  const { sync, thread } = synced({
    messages: () => Promise.reject(new RequestError(404, { code: "unknown_conversation" })),
  });
  await sync.openThread(BOB);
  assert.deepEqual([thread.loaded, thread.state, thread.hasOlder], [true, "ready", false]);
});

test("a thread that the server refuses says why", async () => {
  const { sync, thread } = synced({ messages: () => Promise.reject(new RequestError(403, { detail: "Not yours." })) });
  await sync.openThread(BOB);
  assert.deepEqual([thread.loaded, thread.state, thread.error], [false, "failed", "Not yours."]);
});

test("a request that fails for a while is repeated until it is answered, then later each time", async () => {
  let asked = 0;
  const { store, sync } = synced({
    async messages() {
      asked++;
      if (asked < 3) throw new RequestError(503);
      return { messages: [message(1)], has_more: false };
    },
  });
  const opened = sync.openThread(BOB);
  await pass(900);
  assert.equal(asked, 1);
  await pass(100);
  assert.equal(asked, 2);
  sync.wake();
  await opened;
  assert.deepEqual([asked, seqs(store)], [3, [1]]);
});

test("what the server asked to wait is waited, even when a wake-up comes", async () => {
  let asked = 0;
  const { sync } = synced({
    async messages() {
      if (asked++ === 0) throw new RequestError(503, {}, 20_000);
      return { messages: [], has_more: false };
    },
  });
  const opened = sync.openThread(BOB);
  await pass(19_000);
  sync.wake();
  await settle();
  assert.equal(asked, 1);
  await pass(1_000);
  await opened;
  assert.equal(asked, 2);
});

test("a user who is signed out is told so, and nothing is repeated", async () => {
  const { sync, thread, unauthorized } = synced({ messages: () => Promise.reject(new RequestError(401)) });
  await sync.openThread(BOB);
  assert.deepEqual([unauthorized.length, thread.loaded, thread.state], [1, false, "empty"]);
});

test("the conversations are loaded again when that is asked for meanwhile, as the answer may be too old", async () => {
  const answers = [deferred(), deferred()];
  let asked = 0;
  const { store, sync } = synced({ conversations: () => /** @type {any} */ (answers[asked++])?.promise });
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
  const { store, sync } = synced({ conversations: () => /** @type {any} */ (answer.promise) });
  const loaded = sync.load();
  store.apply("message", message(5));
  answer.resolve({ conversations: [{ id: BOB, newest_seq: 4, last_message: message(4) }], next: null });
  await loaded;
  assert.equal(store.ensure(BOB).last_message?.seq, 5);
});

test("a list of conversations that the server refuses says why", async () => {
  const refused = { conversations: () => Promise.reject(new RequestError(403, { detail: "Not you." })) };
  const { store, sync } = synced(refused);
  await sync.load();
  assert.deepEqual([store.error, store.loaded], ["Not you.", true]);
  const more = synced(refused);
  more.store.next = "more";
  await more.sync.moreConversations();
  assert.equal(more.store.error, "Not you.");
});

test("the next page of conversations is loaded once, and only where there is one", async () => {
  /** @type {any[]} */
  const asked = [];
  const { store, sync } = synced({
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
  const { store, sync } = synced({ conversations: () => /** @type {any} */ (answer.promise) });
  store.next = "more";
  const loaded = sync.moreConversations();
  store.replaceConversations([], "anew", [], () => false);
  answer.resolve({ conversations: [{ id: "g:1" }], next: null });
  await loaded;
  assert.deepEqual([store.next, store.conversation("g:1")], ["anew", undefined]);
});

test("a closed sync asks for nothing, and takes no answer", async () => {
  const answer = deferred();
  const { store, sync, thread } = synced({ messages: () => /** @type {any} */ (answer.promise) });
  const opened = sync.openThread(BOB);
  sync.close();
  answer.resolve({ messages: [message(1)], has_more: false });
  await opened;
  await sync.load();
  assert.deepEqual([thread.loaded, thread.state, store.loaded], [false, "empty", false]);
});

test("a hole is not filled any more once the sync is closed, nor a thread loaded anew", async () => {
  const answer = deferred();
  const { store, sync, thread } = synced({ messages: () => /** @type {any} */ (answer.promise) });
  thread.applyNewest([message(1)], false);
  thread.apply(message(3));
  const loads = [sync.fill(BOB), sync.reloadThread(BOB)];
  sync.close();
  answer.resolve({ messages: [message(2)], has_more: false });
  await Promise.all(loads);
  assert.deepEqual([seqs(store), store.ensure(BOB).thread], [[1], thread]);
});

test("a closed sync does not repeat what fails", async () => {
  let asked = 0;
  const { sync } = synced({
    messages() {
      asked++;
      return Promise.reject(new RequestError(503));
    },
  });
  const opened = sync.openThread(BOB);
  await settle();
  sync.close();
  await opened;
  assert.equal(asked, 1);
});
