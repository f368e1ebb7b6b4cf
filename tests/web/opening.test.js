/** How the page begins, with a server and without one. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { lastKnown } from "../../src/ssechat/web/keeping.js";
import { Opening } from "../../src/ssechat/web/opening.js";
import { SIGNED_IN } from "../../src/ssechat/web/storage.js";
import { tabToken } from "../../src/ssechat/web/tab_storage.js";
import { FakeSource, fakeBrowser, fakeServer, latestSource, pass, settle } from "./world.js";

const BOB = "dm:alice:bob";

/** @type {Opening[]} */
let openings = [];
/** @type {string[]} */
let troubles = [];
/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
  openings = [];
  troubles = [];
});

afterEach(() => {
  for (const { sseChat } of openings) sseChat.close();
});

/** A page is opened. */
function opened() {
  const opening = new Opening();
  openings.push(opening);
  /** @type {{found: any}} */
  const outcome = { found: undefined };
  opening.run((trouble) => troubles.push(trouble)).then((found) => Object.assign(outcome, { found }));
  return { opening, library: opening.sseChat, outcome };
}

/** Earlier, alice was signed in here. */
function signedInBefore() {
  browser.localStorage.setItem(SIGNED_IN, "alice");
  lastKnown.set({ user: "alice", server: /** @type {any} */ ({ name: "as it was" }) });
}

test("with a server the page begins with what it says, and keeps that for later", async () => {
  fakeServer();
  const { opening, library, outcome } = opened();
  await settle();
  assert.deepEqual(outcome.found, { user: "alice", note: "" });
  assert.deepEqual([library.user, library.server], ["alice", opening.server]);
  assert.deepEqual(lastKnown.get(), { user: "alice", server: opening.server });
});

test("without a server the page shows what is unsent and takes more, and nothing is asked for nor sent", async () => {
  signedInBefore();
  const server = fakeServer();
  server.failing = 502;
  const { opening, library, outcome } = opened();
  await settle();
  assert.equal(opening.server?.name, "as it was");
  const { chat } = library;
  assert.ok(chat);
  assert.deepEqual(
    [chat.started, chat.status, library.user, library.state.state],
    [false, "reconnecting", "alice", "reconnecting"],
  );
  const { requests } = server;
  requests.length = 0;
  const sending = library.send({ to: "bob", text: "hi" });
  library.show(BOB);
  chat.resume();
  await pass(30_000);
  assert.deepEqual(
    chat.outbox.entries(BOB).map(({ text, state }) => [text, state]),
    [["hi", "queued"]],
  );
  assert.deepEqual([...new Set(requests)], ["GET /v1/session"]);
  assert.deepEqual([FakeSource.made.length, outcome.found], [0, undefined]);
  server.failing = null;
  library.wake();
  await settle();
  assert.deepEqual(outcome.found, { user: "alice", note: "" });
  assert.equal(library.chat, chat, "what the page shows goes on");
  assert.equal((await sending).text, "hi");
  latestSource().event("hello", { resumed: false }, "1-a");
  await settle();
  assert.deepEqual(
    library.history(BOB).map(({ text }) => text),
    ["hi"],
  );
  assert.notEqual(lastKnown.get()?.server.name, "as it was", "the server is asked again what it is like");
});

test("a server that does not answer is waited for a moment only", async () => {
  signedInBefore();
  const server = fakeServer();
  const answering = globalThis.fetch;
  mock.method(
    globalThis,
    "fetch",
    (/** @type {string} */ _, /** @type {RequestInit} */ { signal }) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
  );
  const { library } = opened();
  const started = () => library.chat?.started;
  await pass(900);
  assert.equal(started(), undefined);
  await pass(3_000);
  assert.equal(started(), false);
  mock.method(globalThis, "fetch", answering);
  await pass(60_000);
  assert.equal(started(), true);
  assert.ok(server.requests.includes("GET /v1/session"));
});

test("who is not known waits for the server, and is told so", async () => {
  const server = fakeServer();
  server.failing = 503;
  const { library, outcome } = opened();
  await pass(5_000);
  assert.deepEqual([library.chat, new Set(troubles)], [null, new Set(["The server can't be reached. Trying again…"])]);
  server.failing = null;
  await pass(5_000);
  assert.equal(outcome.found.user, "alice");
});

test("what is no outage is told as it is, and tried again", async () => {
  signedInBefore();
  const server = fakeServer();
  server.failing = 418;
  const { outcome } = opened();
  await pass(1_000);
  assert.deepEqual([troubles[0], outcome.found], ["The server answered 418.", undefined]);
});

test("who turns out to be signed out is not shown what was kept, also not later without a server", async () => {
  signedInBefore();
  const server = fakeServer();
  server.failing = 503;
  const { library, outcome } = opened();
  await settle();
  assert.equal(library.user, "alice");
  server.failing = 401;
  await pass(1_000);
  assert.deepEqual([outcome.found, library.chat], [{ user: null, note: "" }, null]);
  server.failing = 503;
  const { library: later } = opened();
  await pass(10_000);
  assert.equal(later.chat, null);
});

test("if somebody else is signed in when the server is back, nothing is sent in their name", async () => {
  signedInBefore();
  browser.localStorage.setItem(SIGNED_IN, "zoe");
  lastKnown.set({ user: "zoe", server: /** @type {any} */ ({ name: "as it was" }) });
  const server = fakeServer();
  server.failing = 503;
  const { library, outcome } = opened();
  await settle();
  const before = library.chat;
  library.send({ to: "bob", text: "from zoe" }).catch(() => {});
  server.failing = null;
  await pass(10_000);
  assert.deepEqual([outcome.found.user, library.user, server.history], ["alice", "alice", []]);
  assert.notEqual(library.chat, before);
});

test("who leaves while the server is away has left", async () => {
  signedInBefore();
  fakeServer().failing = 503;
  const { library, outcome } = opened();
  await settle();
  library.close();
  await pass(10_000);
  assert.deepEqual([outcome.found, library.chat, troubles], [null, null, []]);
});

test("a token that somebody pasted is not kept, and neither is whose it is", async () => {
  tabToken.set("token");
  fakeServer();
  const { outcome } = opened();
  await settle();
  assert.deepEqual([outcome.found.user, lastKnown.get()], ["alice", null]);
});

test("a token that has ended is forgotten, and that is told", async () => {
  tabToken.set("token");
  const server = fakeServer();
  mock.method(globalThis, "fetch", async (/** @type {string} */ url) => {
    server.requests.push(url);
    return url.endsWith("/v1/server") ? Response.json({}) : new Response("{}", { status: 401 });
  });
  const { outcome } = opened();
  await settle();
  assert.match(outcome.found.note, /no longer valid/);
  assert.equal(tabToken.get(), null);
});

test("what is kept of one user is not shown to the next", () => {
  signedInBefore();
  browser.localStorage.setItem(SIGNED_IN, "bob");
  assert.equal(lastKnown.get(), null);
});

test("if it can't be asked again what the server is like, what is kept stays", async () => {
  signedInBefore();
  const server = fakeServer();
  const answering = globalThis.fetch;
  let away = true;
  mock.method(globalThis, "fetch", (/** @type {string} */ url, /** @type {any} */ options) =>
    url.endsWith("/v1/server") || away ? Promise.reject(new TypeError()) : answering(url, options),
  );
  const { outcome } = opened();
  await settle();
  away = false;
  await pass(2_000);
  assert.deepEqual([outcome.found.user, lastKnown.get()?.server.name], ["alice", "as it was"]);
  assert.ok(server.requests.length > 0);
});
