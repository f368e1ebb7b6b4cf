/** Drafts: when they are written, and what of them is left. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Drafts } from "../../src/ssechat/web/drafts.js";
import { collect, fakeBrowser, pass } from "./world.js";

const KEY = "ssechat:draft:alice:dm:alice:bob";
const BOB = "dm:alice:bob";

/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
});

const written = () => browser.localStorage.getItem(KEY);

test("a draft is known at once, and written when no key has been pressed for a moment", async () => {
  const drafts = new Drafts("alice");
  drafts.set(BOB, "h");
  await pass(250);
  drafts.set(BOB, "he");
  await pass(250);
  assert.deepEqual([drafts.get(BOB), written()], ["he", null]);
  await pass(100);
  assert.deepEqual([drafts.get(BOB), written(), new Drafts("alice").get(BOB)], ["he", "he", "he"]);
});

test("what a draft answers is known after a reload, until it answers nothing", () => {
  const drafts = new Drafts("alice");
  assert.equal(drafts.replyTo(BOB), null);
  drafts.setReply(BOB, 7);
  assert.equal(new Drafts("alice").replyTo(BOB), 7);
  drafts.setReply(BOB, null);
  assert.equal(new Drafts("alice").replyTo(BOB), null);
});

test("a draft that is sent is gone at once", () => {
  const drafts = new Drafts("alice");
  browser.localStorage.setItem(KEY, "he");
  drafts.set(BOB, "");
  assert.deepEqual([drafts.get(BOB), written()], ["", null]);
});

test("a page that is left, or put into the background, writes what it has", () => {
  const drafts = new Drafts("alice");
  drafts.set(BOB, "one");
  window.dispatchEvent(new Event("pagehide"));
  assert.equal(written(), "one");
  drafts.set(BOB, "two");
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(written(), "two");
});

test("what another tab does with a draft is told, unless it is being written here", async () => {
  const drafts = new Drafts("alice");
  const changes = collect(drafts, "change");
  /** @param {string|null} key @param {string|null} newValue */
  const elsewhere = (key, newValue) => {
    if (key && newValue !== null) browser.localStorage.setItem(key, newValue);
    window.dispatchEvent(Object.assign(new Event("storage"), { key, newValue }));
  };
  elsewhere(KEY, "from there");
  assert.deepEqual([changes, drafts.get(BOB)], [[BOB], "from there"]);
  elsewhere("ssechat:reply:alice:g:1", "7");
  assert.deepEqual([changes.splice(1), drafts.replyTo("g:1")], [["g:1"], 7]);
  for (const key of [null, "ssechat:draft:bob:g:1", "ssechat:user"]) elsewhere(key, "other");
  drafts.set(BOB, "from here");
  elsewhere(KEY, "from there, late");
  assert.deepEqual([changes, drafts.get(BOB)], [[BOB], "from here"]);
  await pass(500);
  assert.equal(written(), "from here");
  drafts.close();
  elsewhere(KEY, "");
  assert.deepEqual(changes, [BOB]);
});

test("a tab that hung does not write over what another one has gone on with, and shows that", async () => {
  const drafts = new Drafts("alice");
  const changes = collect(drafts, "change");
  const storage = () => window.dispatchEvent(Object.assign(new Event("storage"), { key: KEY }));
  for (const heard of [true, false]) {
    browser.localStorage.removeItem(KEY);
    drafts.set(BOB, "old");
    const typed = performance.now();
    mock.method(performance, "now", () => typed + 4_000);
    browser.localStorage.setItem(KEY, "newer");
    if (heard) storage();
    await pass(500);
    assert.deepEqual([written(), drafts.get(BOB), changes.splice(0)], ["newer", "newer", [BOB]]);
  }
  drafts.set(BOB, "");
  assert.equal(written(), null, "what is sent is gone");
});

test("a page out of the back/forward cache shows the drafts as they are now", () => {
  const drafts = new Drafts("alice");
  const changes = collect(drafts, "change");
  for (const persisted of [true, false]) {
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));
  }
  assert.deepEqual(changes, [null]);
});

test("a page whose user has signed out in another tab writes nothing any more", async () => {
  const drafts = new Drafts("alice");
  drafts.set(BOB, "secret");
  drafts.close();
  await pass(500);
  window.dispatchEvent(new Event("pagehide"));
  assert.equal(written(), null);
});

test("who signs out leaves no draft, written or not, and those of others stay", async () => {
  browser.localStorage.setItem("ssechat:draft:bob:g:1", "another's");
  const drafts = new Drafts("alice");
  drafts.set("g:1", "one");
  drafts.setReply("g:1", 7);
  await pass(500);
  drafts.set(BOB, "two");
  drafts.clear();
  await pass(500);
  assert.deepEqual([drafts.get(BOB), drafts.get("g:1"), browser.localStorage.length], ["", "", 1]);
  browser.localStorage.blocked = true;
  drafts.set(BOB, "in memory");
  await pass(500);
  assert.equal(drafts.get(BOB), "in memory");
  drafts.clear();
  assert.equal(drafts.get(BOB), "");
});
