/** Loading messages over REST: nothing is left out, whatever happens meanwhile. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { RequestError } from "../../src/ssechat/web/http.js";
import { BOB, history, loading, range, seqs } from "./loading.js";
import { deferred, fakeBrowser, message, pass, settle } from "./world.js";

beforeEach(() => {
  fakeBrowser();
});

test("pages that are shorter than asked for leave nothing out of a thread that is opened", async () => {
  const { store, thread, threads } = loading(history(300, 4));
  await threads.open(BOB, 20);
  assert.deepEqual([seqs(store), thread.hasOlder], [range(281, 300), true]);
});

test("a short history is loaded whole", async () => {
  const { store, thread, threads } = loading(history(10, 4));
  await threads.open(BOB, 20);
  assert.deepEqual([seqs(store), thread.hasOlder], [range(1, 10), false]);
});

test("unread messages are loaded with few requests, though they are many", async () => {
  const client = history(300, 4);
  const { store, threads } = loading(client);
  await threads.open(BOB, 150);
  assert.equal(client.requests.length, 8);
  assert.deepEqual(seqs(store), range(300 - 8 * 4 + 1, 300));
});

test("a page asks for what is unread and some before it", async () => {
  const client = history(0);
  const { threads } = loading(client);
  await threads.open(BOB, 100);
  assert.deepEqual(client.requests, [{ limit: 125 }]);
});

test("a thread that is loaded, or being loaded, is not loaded twice", async () => {
  const client = history(3);
  const { threads } = loading(client);
  await Promise.all([threads.open(BOB), threads.open(BOB)]);
  await threads.open(BOB);
  assert.equal(client.requests.length, 1);
});

test("older pages load the whole history, and one page at a time", async () => {
  const client = history(300, 4);
  const { store, thread, threads } = loading(client);
  await threads.open(BOB);
  await Promise.all([threads.older(BOB), threads.older(BOB)]);
  assert.equal(client.requests.length, 2);
  while (thread.hasOlder) await threads.older(BOB);
  assert.deepEqual([seqs(store), thread.loadingOlder], [range(1, 300), false]);
});

test("a hole before a live message is filled, however many pages that takes", async () => {
  const client = history(300, 4);
  const { store, thread, threads } = loading(client);
  thread.applyNewest(client.every.slice(0, 3), false);
  store.apply("message", client.every[299]);
  await Promise.all([threads.fill(BOB), threads.fill(BOB)]);
  assert.deepEqual(seqs(store), range(1, 300));
  assert.equal(client.requests.length, 296 / 4);
});

test("a thread is loaded anew as far back as it was", async () => {
  for (const [large, first, older] of /** @type {const} */ ([
    [120, 181, true],
    [300, 1, false],
  ])) {
    const client = history(300, 4);
    const { store, thread, threads } = loading(client);
    thread.applyNewest(client.every.slice(-large), true);
    await threads.reload(BOB);
    assert.deepEqual([seqs(store), store.ensure(BOB).thread.hasOlder], [range(first, 300), older]);
  }
});

test("a thread that is loaded anew has what arrived meanwhile", async () => {
  const page = deferred();
  const client = history(3);
  const { store, thread, threads } = loading({ messages: () => page.promise });
  thread.applyNewest(client.every.slice(0, 2), false);
  const reloaded = threads.reload(BOB);
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
  const { store, threads } = loading({ messages: () => /** @type {any} */ (pages[asked++])?.promise });
  const reloads = [threads.reload(BOB), threads.reload(BOB)];
  pages[1]?.resolve({ messages: [message(1), message(2)], has_more: false });
  await settle();
  pages[0]?.resolve({ messages: [message(1)], has_more: false });
  await Promise.all(reloads);
  assert.deepEqual(seqs(store), [1, 2]);
});

test("a reload that is refused leaves what is shown", async () => {
  const { store, thread, threads } = loading({ messages: () => Promise.reject(new RequestError(403)) });
  thread.applyNewest([message(1)], false);
  thread.apply(message(3));
  await threads.reload(BOB);
  assert.deepEqual([seqs(store), thread.hasHole], [[1], true]);
});

test("a conversation that does not exist yet is empty", async () => {
  const { thread, threads } = loading({
    messages: () => Promise.reject(new RequestError(404, { code: "unknown_conversation" })),
  });
  await threads.open(BOB);
  assert.deepEqual([thread.loaded, thread.state, thread.hasOlder], [true, "ready", false]);
});

test("a thread that the server refuses says why", async () => {
  const { thread, threads } = loading({
    messages: () => Promise.reject(new RequestError(403, { code: "odd", detail: "Not yours." })),
  });
  await threads.open(BOB);
  assert.deepEqual([thread.loaded, thread.state, thread.error], [false, "failed", "Not yours."]);
  assert.equal(thread.refusal, "odd");
});

test("a request that fails for a while is repeated until it is answered, then later each time", async () => {
  let asked = 0;
  const { store, threads, attempts } = loading({
    async messages() {
      asked++;
      if (asked < 3) throw new RequestError(503);
      return { messages: [message(1)], has_more: false };
    },
  });
  const opened = threads.open(BOB);
  await pass(900);
  assert.equal(asked, 1);
  await pass(100);
  assert.equal(asked, 2);
  attempts.wake();
  await opened;
  assert.deepEqual([asked, seqs(store)], [3, [1]]);
});

test("what the server asked to wait is waited, even when a wake-up comes", async () => {
  let asked = 0;
  const { threads, attempts } = loading({
    async messages() {
      if (asked++ === 0) throw new RequestError(503, {}, 20_000);
      return { messages: [], has_more: false };
    },
  });
  const opened = threads.open(BOB);
  await pass(19_000);
  attempts.wake();
  await settle();
  assert.equal(asked, 1);
  await pass(1_000);
  await opened;
  assert.equal(asked, 2);
});

test("a user who is signed out is told so, and nothing is repeated", async () => {
  const { thread, unauthorized, threads } = loading({ messages: () => Promise.reject(new RequestError(401)) });
  await threads.open(BOB);
  assert.deepEqual([unauthorized.length, thread.loaded, thread.state], [1, false, "empty"]);
});

test("a closed sync asks for nothing, and takes no answer", async () => {
  const answer = deferred();
  const { store, sync, thread, threads, attempts } = loading({ messages: () => /** @type {any} */ (answer.promise) });
  const opened = threads.open(BOB);
  attempts.close();
  answer.resolve({ messages: [message(1)], has_more: false });
  await opened;
  await sync.load();
  assert.deepEqual([thread.loaded, thread.state, store.loaded], [false, "empty", false]);
});

test("a hole is not filled any more once the sync is closed, nor a thread loaded anew", async () => {
  const answer = deferred();
  const { store, thread, threads, attempts } = loading({ messages: () => /** @type {any} */ (answer.promise) });
  thread.applyNewest([message(1)], false);
  thread.apply(message(3));
  const loads = [threads.fill(BOB), threads.reload(BOB)];
  attempts.close();
  answer.resolve({ messages: [message(2)], has_more: false });
  await Promise.all(loads);
  assert.deepEqual([seqs(store), store.ensure(BOB).thread], [[1], thread]);
});

test("a closed sync does not repeat what fails", async () => {
  let asked = 0;
  const { threads, attempts } = loading({
    messages() {
      asked++;
      return Promise.reject(new RequestError(503));
    },
  });
  const opened = threads.open(BOB);
  await settle();
  attempts.close();
  await opened;
  assert.equal(asked, 1);
});

test("the messages around an old one are loaded, then those after them, to the newest", async () => {
  const { store, threads, thread } = loading(history(300));
  thread.applyNewest([message(300)], true);
  await threads.around(BOB, 100);
  assert.deepEqual(seqs(store), range(75, 124));
  store.apply("message", message(301)); // a hole to the newest is not filled
  while (store.ensure(BOB).thread.hasNewer) {
    await Promise.all([threads.newer(BOB), threads.newer(BOB)]);
  }
  assert.deepEqual(seqs(store), range(75, 301));
  await threads.newer(BOB);
});

test("a thread around an old message is loaded anew from the newest", async () => {
  const { store, threads } = loading(history(300));
  await threads.around(BOB, 20);
  await threads.reload(BOB);
  assert.deepEqual([seqs(store), store.ensure(BOB).thread.hasNewer], [range(101, 300), false]);
});

test("a message around which nothing can be read leaves what is shown", async () => {
  const { store, threads, thread } = loading({ messages: () => Promise.reject(new RequestError(404)) });
  thread.applyNewest([message(5)], true);
  await threads.around(BOB, 2);
  assert.deepEqual(seqs(store), [5]);
});

test("a message that another one answers is asked for once", async () => {
  const client = history(9);
  /** @type {number[]} */
  const asked = [];
  const { threads, thread } = loading({
    ...client,
    async message(_, seq) {
      asked.push(seq);
      return { message: client.every[seq - 1], etag: null };
    },
  });
  thread.applyNewest([message(9, { reply_to: 2 })], true);
  await Promise.all([threads.quote(BOB, 2), threads.quote(BOB, 2)]);
  await threads.quote(BOB, 9);
  assert.deepEqual([asked, thread.quoted(2)?.text], [[2], "text 2"]);
});

test("a message that cannot be read is no quote", async () => {
  const { threads, thread } = loading({ message: () => Promise.reject(new RequestError(404)) });
  await threads.quote(BOB, 2);
  assert.equal(thread.quoted(2), null);
});

test("a group that is unknown to the server says so in place of its messages", async () => {
  const refused = new RequestError(404, { code: "unknown_conversation", detail: "No such conversation." });
  const { store, threads } = loading({ messages: () => Promise.reject(refused) });
  await threads.open("g:none");
  assert.equal(store.ensure("g:none").thread.error, "No such conversation.");
});
