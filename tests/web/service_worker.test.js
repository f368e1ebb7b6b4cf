/** The events of the service worker, and the page that begins it. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { keepPage } from "../../src/ssechat/web/keeping.js";
import { fakeBrowser } from "./world.js";

/** @type {string[]} what happened, in order */
let log = [];

/** @type {Map<string, (event: any) => void>} */
const listeners = new Map();

/** Defines what a service worker has. @param {Record<string, unknown>} globals */
function define(globals) {
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

/** Lets the worker handle an event, to its end. @param {string} type @param {Record<string, unknown>} more */
async function happens(type, more = {}) {
  /** @type {any} */
  let outcome = null;
  const take = (/** @type {unknown} */ work) => {
    outcome = work;
  };
  listeners.get(type)?.({ waitUntil: take, respondWith: take, ...more });
  return await outcome;
}

beforeEach(async () => {
  fakeBrowser();
  log = [];
  const cache = { put: async (/** @type {string} */ path) => log.push(`keep ${path}`) };
  define({
    SHELL: { version: "two", page: "/", loads: [], more: [] },
    caches: {
      open: async () => cache,
      keys: async () => ["ssechat-shell-one", "ssechat-shell-two"],
      delete: async (/** @type {string} */ name) => log.push(`delete ${name}`),
      match: async () => new Response("kept"),
    },
    skipWaiting: async () => log.push("take over"),
    addEventListener: (/** @type {string} */ type, /** @type {(event: any) => void} */ listener) =>
      listeners.set(type, listener),
    fetch: async (/** @type {any} */ input) => {
      log.push(`fetch ${input.url ?? input}`);
      return new Response("new");
    },
  });
  await import("../../src/ssechat/web/service_worker.js");
});

test("it keeps the page, takes over at once, and removes what older versions kept", async () => {
  const addRoutes = async (/** @type {any} */ { condition, source }) => log.push(`${condition.urlPattern}: ${source}`);
  await happens("install", { addRoutes });
  assert.deepEqual(log.sort(), ["/v1/*: network", "fetch /", "keep /", "take over"]);
  await happens("activate");
  assert.deepEqual(log.slice(4), ["delete ssechat-shell-one"]);
});

test("browsers that cannot let requests pass by themselves do without that", async () => {
  await happens("install", { addRoutes: async () => Promise.reject(new TypeError("unknown condition")) });
  assert.ok(log.includes("take over"));
  log = [];
  await happens("install");
  assert.ok(log.includes("take over"));
});

test("it answers for the page, and lets everything else pass", async () => {
  const navigation = { method: "GET", mode: "navigate", url: "https://chat.example/" };
  const answer = await happens("fetch", { request: navigation });
  assert.equal(await answer.text(), "new");
  assert.equal(await happens("fetch", { request: { ...navigation, url: "https://chat.example/v1/events" } }), null);
});

test("a page at the root begins it, if the browser has such workers and allows it", async () => {
  /** @type {any[]} */
  const begun = [];
  const register = async (/** @type {any[]} */ ...args) => void begun.push(args);
  const browser = fakeBrowser();
  const at = (/** @type {string} */ pathname, /** @type {unknown} */ serviceWorker) => {
    Object.assign(browser.location, { pathname });
    Object.assign(browser.navigator, { serviceWorker });
  };
  at("/", undefined);
  await keepPage();
  at("/below/", { register });
  await keepPage();
  assert.deepEqual(begun, []);
  at("/", { register });
  await keepPage();
  assert.deepEqual(begun, [["/web/sw.js", { scope: "/", updateViaCache: "none" }]]);
  at("/", { register: async () => Promise.reject(new DOMException("no", "SecurityError")) });
  await keepPage();
});
