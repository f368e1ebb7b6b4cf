/** The service worker: what it keeps, and what it answers in the server's place. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { PATIENCE, Shell } from "../../src/ssechat/web/shell.js";
import { settle } from "./world.js";

const ORIGIN = "https://chat.example";
const STYLE = "/web/app-0123456789abcdef.css";
const SCRIPT = "/web/app-0123456789abcdef.js";
const FILES = { version: "one", page: "/", loads: [STYLE, SCRIPT], more: ["/web/manifest.webmanifest"] };
const FOREVER = { "Cache-Control": "public, max-age=31536000, immutable" };

/** Caches, by their names: what is kept under which path. @type {Map<string, Map<string, Response>>} */
let kept = new Map();
/** What the server answers, by path; an error if it can't be reached, a promise if it takes its time. */
let answers = /** @type {Record<string, any>} */ ({});
/** @type {[string, RequestInit|undefined][]} */
let asked = [];
/** Whether the browser refuses access to what is kept. */
let blocked = false;

const caches = /** @type {any} */ ({
  async open(/** @type {string} */ name) {
    const cache = kept.get(name) ?? new Map();
    kept.set(name, cache);
    return { put: async (/** @type {string} */ path, /** @type {Response} */ answer) => cache.set(path, answer) };
  },
  async match(/** @type {string} */ path, /** @type {{cacheName: string}} */ { cacheName }) {
    if (blocked) throw new DOMException("blocked", "SecurityError");
    return kept.get(cacheName)?.get(path)?.clone();
  },
  keys: async () => [...kept.keys()],
  delete: async (/** @type {string} */ name) => kept.delete(name),
});

/** @param {any} input @param {RequestInit} [options] */
async function ask(input, options) {
  const path = typeof input === "string" ? input : new URL(input.url).pathname;
  asked.push([path, options]);
  const answer = await answers[path];
  if (answer === undefined) throw new TypeError("Failed to fetch");
  return answer.clone();
}

/** @param {Partial<import("../../src/ssechat/web/shell.js").Files>} files */
function shell(files = {}) {
  return new Shell({ ...FILES, ...files }, { origin: ORIGIN, caches, fetch: ask });
}

/** A request as the browser makes it. @param {string} path @param {Partial<Request>} more */
function request(path, more = {}) {
  const mode = /** @type {RequestMode} */ (path === "/" ? "navigate" : "no-cors");
  return { method: "GET", mode, ...more, url: new URL(path, ORIGIN).href };
}

/** What is shown. @param {Shell} one @param {string} path */
async function shown(one, path) {
  const answer = one.answer(request(path));
  assert.ok(answer);
  return (await answer).text();
}

/** A server of one version. @param {string} version */
function served(version) {
  return {
    "/": new Response(`${version}: ${STYLE} ${SCRIPT}`),
    [STYLE]: new Response("style", { headers: FOREVER }),
    [SCRIPT]: new Response("script", { headers: FOREVER }),
    "/web/manifest.webmanifest": new Response("manifest"),
  };
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  kept = new Map();
  asked = [];
  blocked = false;
  answers = served("first");
});

afterEach(() => mock.timers.reset());

test("all files of a version are kept together; those that never change come from the browser's cache", async () => {
  await shell().keep();
  assert.deepEqual([...(kept.get("ssechat-shell-one")?.keys() ?? [])], ["/", STYLE, SCRIPT, FILES.more[0]]);
  const ways = Object.fromEntries(asked.map(([path, options]) => [path, options?.cache]));
  assert.deepEqual(ways, {
    "/": "no-cache",
    [STYLE]: "default",
    [SCRIPT]: "default",
    [`${FILES.more[0]}`]: "no-cache",
  });
  assert.ok(
    asked.every(([, options]) => options?.redirect === "error"),
    "a page to sign in elsewhere is not ours",
  );
});

test("nothing is kept if one file is missing, an error, or of another version", async () => {
  const wrong = {
    missing: { [SCRIPT]: undefined },
    "not found": { [STYLE]: new Response("", { status: 404 }) },
    "out of order": { "/": new Response(`${STYLE} ${SCRIPT}`, { status: 503 }) },
    "only a part": { "/": new Response(`${STYLE} ${SCRIPT}`, { status: 206 }) },
    "another version's script": { [SCRIPT]: new Response("script", { headers: { "Cache-Control": "no-cache" } }) },
    "a script of whoever": { [SCRIPT]: new Response("script") },
    "another version's page": { "/": new Response(`${STYLE} /web/app-fedcba9876543210.js`) },
  };
  for (const [name, answer] of Object.entries(wrong)) {
    answers = { ...served("first"), ...answer };
    await assert.rejects(shell().keep(), name);
    assert.equal(kept.size, 0, name);
  }
});

test("the files of other versions are removed, and nothing else", async () => {
  await shell().keep();
  await shell({ version: "two" }).keep();
  kept.set("of somebody else", new Map());
  await shell({ version: "two" }).clean();
  assert.deepEqual([...kept.keys()], ["ssechat-shell-two", "of somebody else"]);
});

test("the page is the server's as long as that answers, whatever it says but that it is out of order", async () => {
  const one = shell();
  await one.keep();
  answers = served("second");
  assert.match(await shown(one, "/"), /^second/);
  answers["/"] = new Response("not here", { status: 404 });
  assert.equal(await shown(one, "/"), "not here");
  answers["/"] = new Response("bad gateway", { status: 502 });
  assert.match(await shown(one, "/"), /^first/);
  answers["/"] = undefined;
  assert.match(await shown(one, "/"), /^first/);
  assert.equal(
    await kept.get("ssechat-shell-one")?.get("/")?.text(),
    `first: ${STYLE} ${SCRIPT}`,
    "it stays as it was",
  );
});

test("a page that does not come in time is shown as it was kept", async () => {
  const one = shell();
  await one.keep();
  answers["/"] = new Promise(() => {});
  /** @type {string|null} */
  let text = null;
  shown(one, "/").then((got) => {
    text = got;
  });
  await settle();
  mock.timers.tick(PATIENCE - 1);
  await settle();
  assert.equal(text, null);
  mock.timers.tick(1);
  await settle();
  assert.match(text ?? "", /^first/);
});

test("where nothing is kept, the browser shows what it would show without", async () => {
  const one = shell();
  answers["/"] = new Response("bad gateway", { status: 502 });
  assert.equal(await shown(one, "/"), "bad gateway");
  answers["/"] = undefined;
  await assert.rejects(shown(one, "/"), TypeError);
  assert.equal(await shown(one, SCRIPT), "script");
  await one.keep().catch(() => {});
  blocked = true;
  answers = served("second");
  assert.equal(await shown(one, SCRIPT), "script");
});

test("a kept file needs no server", async () => {
  const one = shell();
  await one.keep();
  answers = {};
  asked = [];
  assert.equal(await shown(one, SCRIPT), "script");
  assert.equal(await shown(one, "/web/manifest.webmanifest"), "manifest");
  assert.deepEqual(asked, []);
});

test("nothing else is answered: no request to the API, no stream, no other page or host, nothing that writes", () => {
  const one = shell();
  for (const path of ["/v1/events", "/v1/session", "/v1/conversations?limit=1", "/web/app.js", "/web/sw.js", "/docs"]) {
    assert.equal(one.answer(request(path)), null, path);
    assert.equal(one.answer(request(path, { mode: "navigate" })), null, path);
  }
  assert.equal(one.answer(request("/", { mode: "cors" })), null);
  assert.equal(one.answer(request("/", { method: "POST" })), null);
  assert.equal(one.answer(request(SCRIPT, { method: "HEAD" })), null);
  assert.equal(one.answer(request("/chat/", { mode: "navigate" })), null);
  assert.equal(one.answer(request(`https://other.example${SCRIPT}`)), null);
  assert.deepEqual(asked, []);
});
