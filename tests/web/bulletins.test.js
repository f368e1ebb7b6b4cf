/** What the operators tell everybody: when it is asked for, what is shown, and what is put away. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Bulletins, bulletinOf, DISMISSED } from "../../src/ssechat/web/bulletins.js";
import { RequestError } from "../../src/ssechat/web/http.js";
import { collect, fakeBrowser, pass, settle } from "./world.js";

/** @type {any} what the feed has, or what asking for it throws */
let answer;
/** @type {any[]} */
let asked;
/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
  answer = feed("1-x", "Back at noon");
  asked = [];
});

/** @param {string} id @param {unknown} data @returns {any} */
const feed = (id, data) => ({ events: [{ id, event: "message", data }] });

const http = {
  async request(/** @type {any[]} */ ...how) {
    asked.push(how);
    if (answer instanceof Error) throw answer;
    return answer;
  },
};

function started() {
  const bulletins = new Bulletins(http, "a b");
  const shown = collect(bulletins, "change");
  bulletins.start();
  return { bulletins, shown };
}

test("the newest event is asked for once a minute, by its entity tag", async () => {
  const { bulletins, shown } = started();
  await settle();
  assert.deepEqual(asked, [["GET", "/v1/feeds/a%20b", { query: { last: 1 }, cache: "no-cache" }]]);
  assert.deepEqual(shown, [{ id: "1-x", text: "Back at noon", link: null }]);
  answer = feed("2-x", null);
  await pass(60_000);
  assert.equal(asked.length, 1);
  await pass(7_000);
  assert.deepEqual([asked.length, shown.at(-1)], [2, null]);
  bulletins.close();
  await pass(120_000);
  assert.equal(asked.length, 2);
});

test("a page that nobody sees asks nothing, and asks when somebody does, if it is time", async () => {
  browser.document.hidden = true;
  const { bulletins } = started();
  await pass(300_000);
  assert.equal(asked.length, 0);
  browser.document.hidden = false;
  for (let i = 0; i < 5; i++) browser.document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  browser.document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  for (const type of ["pagehide", "pageshow"]) {
    browser.window.dispatchEvent(Object.assign(new Event(type), { persisted: true }));
  }
  await settle();
  assert.equal(asked.length, 1);
  bulletins.close();
});

test("a feed that is not there is asked for every ten minutes; one that fails just now is shown on", async () => {
  const { bulletins, shown } = started();
  await settle();
  answer = new RequestError(503, {}, 90_000);
  await pass(70_000);
  assert.equal(asked.length, 2);
  assert.equal(shown.at(-1).id, "1-x");
  await pass(80_000);
  assert.equal(asked.length, 2, "it waits for as long as the server asks");
  answer = new RequestError(404, { code: "unknown_feed" });
  await pass(30_000);
  assert.deepEqual([asked.length, shown.at(-1)], [3, null]);
  await pass(590_000);
  assert.equal(asked.length, 3);
  await pass(80_000);
  assert.equal(asked.length, 4);
  bulletins.close();
});

test("what is put away stays away, in all tabs, until there is another one", async () => {
  const { bulletins, shown } = started();
  const other = started();
  await settle();
  bulletins.dismiss();
  assert.equal(shown.at(-1), null);
  browser.window.dispatchEvent(Object.assign(new Event("storage"), { key: DISMISSED }));
  browser.window.dispatchEvent(Object.assign(new Event("storage"), { key: "another" }));
  assert.equal(other.shown.at(-1), null);
  const { bulletins: later, shown: after } = started();
  await settle();
  assert.deepEqual([...after], [null]);
  answer = feed("2-x", "And back again");
  await pass(70_000);
  assert.equal(after.at(-1).text, "And back again");
  for (const one of [bulletins, other.bulletins, later]) one.close();
});

test("an answer that comes after the end is not shown, and nothing can be put away then", async () => {
  const { bulletins, shown } = started();
  bulletins.close();
  await settle();
  assert.deepEqual(shown, []);
  const empty = new Bulletins(http, "news");
  empty.dismiss();
  assert.equal(empty.current, null);
});

/** @param {unknown} data */
const read = (data) => bulletinOf(feed("1-x", data));

test("a banner is a text, with a link to a page if it has one", () => {
  assert.equal(bulletinOf({ events: [] }), null);
  for (const nothing of [null, "", " \n", 7, [], {}, { text: 7 }, { text: " " }, true])
    assert.equal(read(nothing), null);
  assert.deepEqual(read({ text: " hi ", link: "https://a.example/x" }), {
    id: "1-x",
    text: "hi",
    link: "https://a.example/x",
  });
  for (const link of ["javascript:alert(1)", "data:text/html,x", "/here", "", 7, null]) {
    assert.equal(read({ text: "hi", link })?.link, null);
  }
  assert.equal(read("x".repeat(501))?.text, `${"x".repeat(500)}…`);
});
