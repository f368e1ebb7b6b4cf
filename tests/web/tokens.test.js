/** Bearer tokens that a function gives: when it is asked, and when again. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { Http } from "../../src/ssechat/web/http.js";
import { SseChat } from "../../src/ssechat/web/ssechat.js";
import { collect, deferred, fakeBrowser, latestSource, pass, settle } from "./world.js";

/** The tokens that requests came with. @type {(string|undefined)[]} */
let came = [];
/** The tokens that the server takes. @type {Set<string>} */
let valid = new Set();

beforeEach(() => {
  fakeBrowser();
  came = [];
  valid = new Set(["t1"]);
  mock.method(globalThis, "fetch", async (/** @type {string} */ url, /** @type {any} */ { headers }) => {
    const token = headers.Authorization?.slice("Bearer ".length);
    came.push(token);
    if (!valid.has(token)) return Response.json({ code: "invalid_token" }, { status: 401 });
    return Response.json({ user: "alice", ticket: `${url.length} of ${token}` });
  });
});

/** A source of the tokens t1, t2 … */
function source() {
  let number = 0;
  return mock.fn(async () => `t${++number}`);
}

test("it is asked before the first request, and again when the server does not take its token any more", async () => {
  const token = source();
  const http = new Http({ token });
  assert.equal(http.withToken, true);
  await http.request("GET", "/one");
  await http.request("GET", "/two");
  assert.deepEqual([came, token.mock.callCount()], [["t1", "t1"], 1]);
  valid = new Set(["t2"]);
  await http.request("GET", "/three");
  assert.deepEqual([came.slice(2), token.mock.callCount()], [["t1", "t2"], 2]);
});

test("requests that need a token at the same time share one", async () => {
  const token = source();
  const http = new Http({ token });
  await Promise.all([http.request("GET", "/one"), http.request("GET", "/two")]);
  valid = new Set(["t2"]);
  await Promise.all([http.request("GET", "/one"), http.request("GET", "/two")]);
  assert.equal(token.mock.callCount(), 2);
});

test("a new token that is not taken either is the end, as is none", async () => {
  valid = new Set();
  await assert.rejects(new Http({ token: source() }).request("GET", "/"), { status: 401, code: "invalid_token" });
  await assert.rejects(new Http({ token: () => null }).request("GET", "/"), { status: 401, code: "signed_out" });
});

test("a source that fails, or does not answer in time, is tried again later", async () => {
  const failing = new Http({ token: () => Promise.reject(new Error("no network")) });
  await assert.rejects(failing.request("GET", "/"), { code: "token_unavailable", temporary: true });
  const hanging = new Http({ token: () => /** @type {Promise<any>} */ (deferred().promise) });
  const ended = assert.rejects(hanging.request("GET", "/"), { code: "token_unavailable", temporary: true });
  await pass(hanging.timeout);
  await ended;
});

test("a stream whose token ends goes on from where it was, with a ticket of a new one", async () => {
  const client = new ChatClient({ token: source() });
  const unauthorized = collect(client, "unauthorized");
  await client.session();
  client.open();
  await settle();
  latestSource().event("hello", { resumed: false }, "7-a");
  valid = new Set(["t2"]);
  latestSource().event("bye", { reason: "token_expired" }, "7-a");
  latestSource().fail({ gaveUp: false });
  await pass(1_000);
  const { searchParams } = new URL(latestSource().url, "https://chat.example");
  assert.deepEqual([searchParams.get("last_event_id"), searchParams.get("ticket")], ["7-a", "11 of t2"]);
  assert.deepEqual(unauthorized, []);
  client.close();
});

/** Where t1 is alice's and t2 bob's: the requests that were answered, with their tokens. */
function oneAfterTheOther() {
  /** @type {string[]} */
  const done = [];
  mock.method(globalThis, "fetch", async (/** @type {string} */ url, /** @type {any} */ { method, headers }) => {
    const token = headers.Authorization?.slice("Bearer ".length);
    if (!valid.has(token)) return Response.json({ code: "invalid_token" }, { status: 401 });
    done.push(`${method} ${url} ${token}`);
    if (method === "DELETE") return Response.json({ code: "no_session" }, { status: 404 });
    return Response.json({ user: token === "t1" ? "alice" : "bob", conversations: [], next: null });
  });
  return done;
}

test("a request is not sent again with a token of somebody who has signed in meanwhile", async () => {
  const done = oneAfterTheOther();
  const chat = new SseChat({ token: source() });
  await chat.start();
  await settle();
  valid = new Set(["t2"]);
  done.length = 0;
  const sending = chat.send({ to: "carol", text: "for carol, from alice" });
  await assert.rejects(sending, { code: "closed" });
  assert.deepEqual(done, ["GET /v1/session t2"]);
  assert.deepEqual([chat.state.state, chat.user], ["signed_out", null]);
  valid.add("t3");
  assert.equal((await chat.start()).user, "bob");
  chat.close();
});

test("a new token is asked whose it is once, for all that wait for it", async () => {
  const http = new Http({ token: source() });
  await http.request("GET", "/one");
  http.user = "alice";
  valid = new Set(["t2"]);
  await Promise.all([http.request("GET", "/two"), http.request("GET", "/three")]);
  assert.deepEqual(came.slice(1), ["t1", "t1", "t2", "t2", "t2"]);
});

test("who signs out is forgotten with a token that the server cannot end: the next start gets another", async () => {
  oneAfterTheOther();
  valid.add("t2");
  const chat = new SseChat({ token: source() });
  assert.equal((await chat.start()).user, "alice");
  await chat.signOut();
  assert.equal(chat.cursor, null);
  assert.equal((await chat.start()).user, "bob");
  chat.close();
});

test("a request that waits for a token is not sent when its user has signed out", async () => {
  const done = oneAfterTheOther();
  const asked = /** @type {ReturnType<typeof deferred<string>>[]} */ ([]);
  const http = new Http({
    token: () => {
      asked.push(deferred());
      return asked.at(-1)?.promise ?? null;
    },
  });
  const early = assert.rejects(http.request("POST", "/early"), { code: "signed_out" });
  http.leave();
  const late = http.request("GET", "/late");
  asked[0]?.resolve("t1");
  await early;
  const later = http.request("GET", "/later");
  asked[1]?.resolve("t1");
  await Promise.all([late, later]);
  assert.deepEqual([done, asked.length], [["GET /late t1", "GET /later t1"], 2]);
});

test("a request that is refused after its user has signed out is not sent again", async () => {
  const { promise, resolve } = deferred();
  const sent = mock.method(globalThis, "fetch", async () => {
    await promise;
    return Response.json({ code: "invalid_token" }, { status: 401 });
  });
  const http = new Http({ token: source() });
  const refused = assert.rejects(http.request("POST", "/"), { code: "invalid_token" });
  await settle();
  http.leave();
  resolve(null);
  await refused;
  assert.equal(sent.mock.callCount(), 1);
});

test("a tab whose token has ended leaves the stream to one of its user whose token still counts", async () => {
  valid = new Set(["t1", "t2"]);
  const tabs = ["t1", "t2"].map((token) => new ChatClient({ token }));
  const refused = tabs.map((tab) => collect(tab, "unauthorized"));
  for (const tab of tabs) {
    await tab.session();
    tab.open();
    await settle();
  }
  latestSource().event("hello", { resumed: false }, "7-a");
  valid.delete("t1");
  latestSource().event("bye", { reason: "token_expired" }, "7-a");
  await pass(1_000);
  latestSource().event("hello", { resumed: true }, "7-a");
  assert.deepEqual(
    [refused, tabs.map(({ status }) => status)],
    [
      [[null], []],
      ["closed", "live"],
    ],
  );
  for (const tab of tabs) tab.close();
});

test("a start that finds somebody else ends, and the next one is of that user", async () => {
  oneAfterTheOther();
  const chat = new SseChat({ token: source() });
  await chat.start();
  await settle();
  latestSource().event("hello", { resumed: false, user: "alice" }, "70-a");
  valid = new Set(["t2", "t3"]);
  await assert.rejects(chat.start(), { code: "signed_out" });
  assert.deepEqual([chat.state.state, chat.user, latestSource().readyState], ["signed_out", null, 2]);
  assert.equal((await chat.start()).user, "bob");
  await settle();
  assert.doesNotMatch(latestSource().url, /70-a/, "a cursor of the former user's inbox");
  chat.close();
});

test("who was known before is no reason to refuse who has signed in since", async () => {
  oneAfterTheOther();
  valid = new Set();
  const { fetch } = globalThis;
  let down = true;
  mock.method(globalThis, "fetch", async (/** @type {[any, any]} */ ...asked) =>
    down ? Response.json({}, { status: 503 }) : fetch(...asked),
  );
  const chat = new SseChat({ token: source() });
  const started = chat.start({ known: "alice" });
  await pass(200);
  assert.equal(chat.user, "alice");
  down = false;
  valid = new Set(["t2"]);
  const [{ user }] = await Promise.all([started, pass(3_000)]);
  assert.equal(user, "bob");
  chat.close();
});

test("a late answer of who the former user was does not count", async () => {
  const client = new ChatClient({ token: source() });
  const { promise, resolve } = deferred();
  const { fetch } = globalThis;
  await client.session();
  mock.method(globalThis, "fetch", async (/** @type {[any, any]} */ ...asked) => {
    await promise;
    return fetch(...asked);
  });
  const late = client.session();
  client.forget();
  resolve(null);
  await late;
  assert.equal(client.user, null);
});
