/** Bearer tokens that a function gives: when it is asked, and when again. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { Http } from "../../src/ssechat/web/http.js";
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
