/** Requests, their errors and their repetition. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { backOff, Http, RequestError } from "../../src/ssechat/web/http.js";
import { storage } from "../../src/ssechat/web/storage.js";
import { fakeBrowser } from "./world.js";

/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
});

/** Answers every request with this. @param {import("node:test").TestContext} t @param {Response|Error} answer */
function answering(t, answer) {
  return t.mock.method(globalThis, "fetch", async () => {
    if (answer instanceof Error) throw answer;
    return answer;
  });
}

/** What the first request was. @param {ReturnType<typeof answering>} fetched @returns {any[]} */
const requestOf = (fetched) => fetched.mock.calls[0]?.arguments ?? [];

/** @param {unknown} body @param {number} status @param {Record<string, string>} headers */
const problem = (body, status, headers = {}) => new Response(JSON.stringify(body), { status, headers });

/** What a request to this answer throws. @param {import("node:test").TestContext} t @param {Response|Error} answer */
async function thrown(t, answer) {
  answering(t, answer);
  const error = await new Http().request("GET", "/v1/x").catch((/** @type {unknown} */ one) => one);
  assert.ok(error instanceof RequestError);
  return error;
}

test("a request carries JSON, the token and no cookie", async (t) => {
  const fetched = answering(t, new Response('{"ok": true}'));
  const http = new Http({ base: "https://chat.example/", token: "secret" });
  assert.deepEqual(await http.request("POST", "/v1/messages", { query: { a: 1, b: null }, body: { text: "hi" } }), {
    ok: true,
  });
  const [url, options] = requestOf(fetched);
  assert.equal(url, "https://chat.example/v1/messages?a=1");
  assert.equal(options.headers.Authorization, "Bearer secret");
  assert.equal(options.headers["Content-Type"], "application/json");
  assert.deepEqual([options.method, options.body, options.credentials], ["POST", '{"text":"hi"}', "omit"]);
});

test("a request without a token carries the cookie", async (t) => {
  const fetched = answering(t, new Response(null, { status: 204 }));
  assert.equal(await new Http().request("DELETE", "/v1/session"), null);
  const [url, options] = requestOf(fetched);
  assert.equal(url, "/v1/session");
  assert.deepEqual(
    [options.credentials, options.body, "Content-Type" in options.headers],
    ["same-origin", null, false],
  );
});

test("an error has the problem's code, text and fields", async (t) => {
  const fields = [{ field: "name", message: "Too long." }];
  const error = await thrown(t, problem({ code: "invalid", title: "T", detail: "D", fields }, 422));
  assert.deepEqual([error.status, error.code, error.message, error.fields], [422, "invalid", "D", fields]);
  assert.equal(error.temporary, false);
});

test("an error without a problem says its status", async (t) => {
  for (const answer of [new Response("<html>", { status: 404 }), problem("x", 404)]) {
    const error = await thrown(t, answer);
    assert.deepEqual([error.code, error.message], ["unknown", "The server answered 404."]);
  }
});

test("an answer that does not come, or is cut off, is an error without a status", async (t) => {
  for (const answer of [new TypeError("network"), new Response('{"ok": tr')]) {
    const error = await thrown(t, answer);
    assert.deepEqual([error.status, error.code, error.temporary], [0, "unreachable", true]);
  }
});

test("what may succeed later is temporary", () => {
  for (const status of [0, 408, 425, 429, 500, 503])
    assert.equal(new RequestError(status).temporary, true, `${status}`);
  for (const status of [400, 401, 403, 404, 409, 422]) assert.equal(new RequestError(status).temporary, false);
});

test("Retry-After is seconds or a date, and nothing else", async (t) => {
  const until = new Date(Date.now() + 5_000).toUTCString();
  for (const [value, expected] of /** @type {const} */ ([
    ["3", 3_000],
    [until, 5_000],
    ["Mon, 05 Jan 2026 00:00:00 GMT", 0],
    ["soon", null],
  ])) {
    const error = await thrown(t, problem({}, 503, { "Retry-After": value }));
    assert.equal(error.retryAfter, expected, value);
  }
  assert.equal((await thrown(t, problem({}, 503))).retryAfter, null);
});

test("the delay before a next attempt doubles up to half a minute, and its upper half is random", (t) => {
  assert.deepEqual([1, 2, 3, 6, 7, 100].map(backOff), [1_000, 2_000, 4_000, 30_000, 30_000, 30_000]);
  t.mock.method(Math, "random", () => 0);
  assert.deepEqual([1, 7].map(backOff), [500, 15_000]);
});

test("what is stored is kept in memory where the storage is blocked", () => {
  storage.set("before", "1");
  browser.localStorage.blocked = true;
  storage.setJson("key", { a: 1 });
  assert.deepEqual(storage.json("key"), { a: 1 });
  assert.equal(storage.get("before"), null);
  storage.remove("key");
  assert.equal(storage.get("key"), null);
});

test("what was kept in memory moves to the storage when that is writable again", () => {
  browser.localStorage.blocked = true;
  storage.set("key", "old");
  browser.localStorage.blocked = false;
  storage.set("key", "new");
  assert.deepEqual([storage.get("key"), browser.localStorage.getItem("key")], ["new", "new"]);
  browser.localStorage.setItem("key", "{");
  assert.equal(storage.json("key"), null);
});

test("a request may be for one version only, and its answer's headers count", async (t) => {
  const fetched = answering(t, new Response('{"seq": 1}', { headers: { ETag: '"b"' } }));
  const answer = await new Http().exchange("PATCH", "/v1/x", { body: {}, headers: { "If-Match": '"a"' } });
  assert.deepEqual([answer.body, answer.headers.get("ETag")], [{ seq: 1 }, '"b"']);
  assert.equal(requestOf(fetched)[1].headers["If-Match"], '"a"');
});
