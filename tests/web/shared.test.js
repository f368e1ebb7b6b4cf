/** One stream for all tabs: who holds it, who takes over, and what the others hear. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { RequestError } from "../../src/ssechat/web/http.js";
import { SharedStream } from "../../src/ssechat/web/shared.js";
import { EventStream } from "../../src/ssechat/web/stream.js";
import { collect, FakeChannel, FakeSource, fakeBrowser, latestSource, pass, settle } from "./world.js";

/** @type {SharedStream[]} */
let tabs = [];
/** Whether the credential is valid. */
let valid = true;
/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
  tabs = [];
  valid = true;
});

afterEach(() => {
  for (const tab of tabs) tab.close();
});

async function probe() {
  if (!valid) throw new RequestError(401);
}

/** A tab that has joined the others. @param {{oneCredential?: boolean}} options */
async function openTab({ oneCredential = true } = {}) {
  const stream = new SharedStream({
    name: "stream of alice",
    oneCredential,
    create: (cursor) => new EventStream({ cursor, url: (last) => `/events?${last}`, probe }),
  });
  tabs.push(stream);
  const heard = {
    stream,
    events: collect(stream, "event"),
    statuses: collect(stream, "status"),
    reloads: collect(stream, "reload"),
    unauthorized: collect(stream, "unauthorized"),
  };
  stream.open();
  await settle();
  return { ...heard, channel: /** @type {FakeChannel} */ (FakeChannel.open.at(-1)) };
}

/** Two tabs of which the first holds the stream, live. */
async function twoTabs() {
  const holder = await openTab();
  latestSource().event("hello", { resumed: false }, "7-a");
  const other = await openTab();
  other.reloads.length = 0;
  other.events.length = 0;
  return { holder, other };
}

/** Web Locks are missing, as over plain HTTP; terms that begin within one millisecond differ. */
function withoutLocks() {
  browser.navigator.locks = undefined;
  let asked = 0;
  mock.method(Math, "random", () => ++asked / 100);
}

test("all tabs hear when the next attempt is", async () => {
  const { holder, other } = await twoTabs();
  const told = [collect(holder.stream, "retry"), collect(other.stream, "retry")];
  latestSource().fail({ gaveUp: true });
  await settle();
  assert.deepEqual(told, [[Date.now() + 1_000], [Date.now() + 1_000]]);
});

/** @param {{events: any[]}} tab */
const ids = (tab) => tab.events.map(({ id }) => id);

test("two tabs share one stream, and each gets every event", async () => {
  const { holder, other } = await twoTabs();
  latestSource().event("message", { seq: 1 }, "8-b");
  await settle();
  assert.equal(FakeSource.made.length, 1);
  assert.deepEqual([holder.stream.holds, other.stream.holds], [true, false]);
  assert.deepEqual(ids(holder), ["7-a", "8-b"]);
  assert.deepEqual(ids(other), ["8-b"]);
  assert.deepEqual(other.statuses, ["connecting", "live"]);
  assert.deepEqual(other.reloads, []);
});

test("a tab that joins loads what came before it", async () => {
  await openTab();
  latestSource().event("hello", { resumed: false }, "7-a");
  const other = await openTab();
  assert.deepEqual(other.reloads, [{ reason: "joined" }]);
});

test("a fresh stream loads over REST; one that was resumed loads only the first time", async () => {
  const tab = await openTab();
  latestSource().event("hello", { resumed: false }, "7-a");
  latestSource().event("hello", { resumed: true }, "7-a");
  assert.deepEqual(tab.reloads, [{ reason: "fresh" }]);
});

test("a reset says what to load", async () => {
  const { holder, other } = await twoTabs();
  const reset = { reason: "expired", conversation_id: "dm:alice:bob" };
  latestSource().event("reset", reset, "90-a");
  await settle();
  assert.deepEqual(holder.reloads.at(-1), reset);
  assert.deepEqual(other.reloads, [reset]);
});

test("when the holder closes, another tab takes over from the last event that it heard", async () => {
  const { holder, other } = await twoTabs();
  latestSource().event("message", { seq: 1 }, "8-b");
  await settle();
  holder.stream.close();
  await settle();
  assert.equal(other.stream.holds, true);
  assert.equal(latestSource().url, "/events?8-b");
  latestSource().event("hello", { resumed: true }, "8-b");
  assert.deepEqual(other.reloads, []);
  assert.equal(holder.stream.status, "closed");
});

test("a frozen holder is asked, reported and then replaced; when it wakes up, it follows", async () => {
  const { holder, other } = await twoTabs();
  holder.channel.frozen = true;
  await pass(2_400);
  assert.deepEqual(other.statuses, ["connecting", "live"]);
  await pass(200);
  assert.deepEqual(other.statuses, ["connecting", "live", "reconnecting"]);
  assert.equal(other.stream.holds, false);
  await pass(1_600);
  assert.equal(other.stream.holds, true);
  latestSource().event("hello", { resumed: true }, "7-a");
  assert.equal(other.stream.status, "live");
  holder.channel.frozen = false;
  await settle();
  assert.equal(holder.stream.holds, false);
  assert.equal(FakeSource.made.filter(({ readyState }) => readyState === FakeSource.OPEN).length, 1);
  latestSource().event("message", { seq: 1 }, "8-b");
  await settle();
  assert.equal(ids(holder).at(-1), "8-b");
});

test("what a former holder still says is ignored", async () => {
  const { holder, other } = await twoTabs();
  holder.channel.frozen = true;
  await pass(5_000);
  assert.equal(other.stream.holds, true);
  latestSource().event("hello", { resumed: true }, "7-a");
  const late = { type: "message", id: "8-x", after: "7-a", data: {} };
  holder.channel.frozen = false;
  holder.channel.postMessage({ kind: "event", detail: late, term: 1 });
  await settle();
  assert.equal(other.stream.holds, true);
  assert.deepEqual(
    ids(other).filter((id) => id === "8-x"),
    [],
  );
});

test("a holder that hears of a later one lets go", async () => {
  const { holder, other } = await twoTabs();
  const stream = latestSource();
  other.channel.postMessage({ kind: "status", status: "live", cursor: "7-a", term: Date.now() + 2 });
  await settle();
  assert.deepEqual([holder.stream.holds, stream.readyState], [false, FakeSource.CLOSED]);
});

test("a holder that answers keeps the stream, however long nothing happens", async () => {
  const { holder, other } = await twoTabs();
  for (let i = 0; i < 4; i++) {
    await pass(10_000);
    latestSource().event("ping", { id: "7-a" });
  }
  assert.deepEqual([holder.stream.holds, other.stream.holds], [true, false]);
  assert.deepEqual(other.statuses, ["connecting", "live"]);
});

test("a hidden tab leaves the stream to a frozen holder", async () => {
  const { holder, other } = await twoTabs();
  browser.document.hidden = true;
  holder.channel.frozen = true;
  await pass(20_000);
  assert.equal(other.stream.holds, false);
});

test("a tab that hung itself asks again before it takes over", async () => {
  const { holder, other } = await twoTabs();
  holder.channel.frozen = true;
  await pass(1_000); // the question is out
  const { now } = performance;
  performance.now = () => now.call(performance) + 5_000; // the timer runs 5 s late
  await pass(1_500);
  assert.deepEqual(other.statuses, ["connecting", "live"]);
  performance.now = now;
});

test("a tab that missed an event of the holder's loads over REST", async () => {
  const { other } = await twoTabs();
  other.channel.frozen = true;
  latestSource().event("message", { seq: 1 }, "8-b");
  await settle();
  other.channel.frozen = false;
  latestSource().event("message", { seq: 2 }, "9-c");
  await settle();
  assert.deepEqual(other.reloads, [{ reason: "gap" }]);
});

test("an event of a kind that no tab knows is no gap", async () => {
  const { holder, other } = await twoTabs();
  latestSource().event("unheard_of", {}, "8-b");
  latestSource().event("message", { seq: 1 }, "9-c");
  await settle();
  latestSource().event("unheard_of", {}, "10-d");
  latestSource().event("ping", { id: "10-d" });
  await settle();
  assert.deepEqual([other.reloads, holder.stream.cursor, other.stream.cursor], [[], "10-d", "10-d"]);
  assert.equal(FakeSource.made.length, 1);
});

test("an ephemeral event reaches every tab and moves no cursor", async () => {
  const { other } = await twoTabs();
  latestSource().event("message", { text: "without an id" });
  await settle();
  assert.deepEqual(other.events.at(-1).data, { text: "without an id" });
  assert.deepEqual([other.reloads, other.stream.cursor], [[], "7-a"]);
});

test("every tab hears that the credential is not valid any more", async () => {
  const { holder, other } = await twoTabs();
  valid = false;
  latestSource().event("bye", { reason: "signed_out" });
  await pass(500);
  assert.deepEqual([holder.unauthorized.length, other.unauthorized.length], [1, 1]);
});

test("where each tab has its own token, one whose token has ended leaves the stream to the next", async () => {
  const holder = await openTab({ oneCredential: false });
  latestSource().event("hello", { resumed: false }, "7-a");
  const other = await openTab({ oneCredential: false });
  valid = false;
  latestSource().event("bye", { reason: "token_expired" });
  await pass(500);
  assert.deepEqual([holder.unauthorized.length, other.unauthorized.length], [1, 0]);
  assert.deepEqual([holder.stream.status, other.stream.holds], ["closed", true]);
  assert.match(latestSource().url, /7-a/);
});

test("a tab with its own token goes on when the cookie of the others has ended", async () => {
  const cookie = await openTab();
  latestSource().event("hello", { resumed: false }, "7-a");
  const other = await openTab({ oneCredential: false });
  valid = false;
  latestSource().event("bye", { reason: "signed_out" });
  await pass(500);
  cookie.stream.close();
  await settle();
  assert.deepEqual([cookie.unauthorized.length, other.unauthorized.length], [1, 0]);
  assert.equal(other.stream.holds, true);
});

test("a tab that is closed before it gets the lock holds no stream", async () => {
  const first = openTab();
  tabs[0]?.close();
  await first;
  assert.deepEqual([tabs[0]?.holds, FakeSource.made.length], [false, 0]);
  const { other } = await twoTabs();
  other.stream.close();
  tabs[1]?.close();
  await settle();
  assert.deepEqual([other.stream.holds, other.stream.status, FakeSource.made.length], [false, "closed", 1]);
});

test("a tab that takes over before it has heard anything loads when its stream is live", async () => {
  const holder = await openTab();
  const other = await openTab();
  holder.stream.close();
  await settle();
  latestSource().event("hello", { resumed: true }, "7-a");
  assert.deepEqual(other.reloads, [{ reason: "joined" }]);
});

test("a tab that was hidden while the holder said nothing asks again when it is visible", async () => {
  const { holder, other } = await twoTabs();
  holder.channel.frozen = true;
  await pass(1_000); // the question is out
  browser.document.hidden = true;
  await pass(10_000);
  assert.equal(other.stream.status, "live");
  browser.document.hidden = false;
  await pass(5_000);
  assert.equal(other.stream.holds, true);
});

test("a former holder's stream is heard no more", async () => {
  const { holder, other } = await twoTabs();
  const former = latestSource();
  holder.channel.frozen = true;
  await pass(5_000);
  assert.equal(other.stream.holds, true);
  const count = holder.events.length;
  former.readyState = FakeSource.OPEN; // a task of the browser's that was under way
  former.event("message", {}, "8-b");
  assert.equal(holder.events.length, count);
});

test("a wake-up reaches the holder", async () => {
  const { holder, other } = await twoTabs();
  latestSource().fail({ gaveUp: true });
  await settle();
  assert.equal(other.stream.status, "reconnecting");
  other.stream.wake();
  await settle();
  assert.equal(FakeSource.made.length, 2);
  await pass(1_000);
  holder.stream.wake();
  await settle();
  assert.equal(FakeSource.made.length, 3);
});

test("a tab that closes and opens again goes on from its last event", async () => {
  const { stream } = await openTab();
  latestSource().event("hello", { resumed: false }, "7-a");
  stream.open();
  await settle();
  stream.close();
  stream.close();
  assert.equal(stream.status, "closed");
  stream.open();
  await settle();
  assert.equal(latestSource().url, "/events?7-a");
  assert.equal(FakeSource.made.length, 2);
});

test("without locks the tab that was opened last holds the stream, and the others hear every event", async () => {
  withoutLocks();
  const { holder: first, other: last } = await twoTabs();
  latestSource().event("hello", { resumed: false }, "7-a");
  latestSource().event("message", { seq: 1 }, "8-b");
  await settle();
  assert.deepEqual([first.stream.holds, last.stream.holds], [false, true]);
  assert.deepEqual(
    FakeSource.made.map(({ readyState }) => readyState),
    [FakeSource.CLOSED, FakeSource.OPEN],
  );
  assert.deepEqual(
    [ids(first).slice(-2), ids(last)],
    [
      ["7-a", "8-b"],
      ["7-a", "8-b"],
    ],
  );
  assert.deepEqual([first.reloads, last.reloads], [[{ reason: "fresh" }], [{ reason: "fresh" }]]);
});

test("without locks a holder that is gone is missed, and of those who take over at once one goes on", async () => {
  withoutLocks();
  const [one, two, gone] = [await openTab(), await openTab(), await openTab()];
  latestSource().event("hello", { resumed: false }, "7-a");
  gone.stream.close();
  await pass(2_600);
  assert.deepEqual([one.stream.status, two.stream.status], ["reconnecting", "reconnecting"]);
  await pass(1_600);
  const open = FakeSource.made.filter(({ readyState }) => readyState !== FakeSource.CLOSED);
  assert.deepEqual([open.length, one.stream.holds !== two.stream.holds], [1, true]);
  assert.equal(open[0]?.url, "/events?7-a");
});

test("a program has a stream of its own, whatever else listens in it", async () => {
  browser.navigator.locks = undefined;
  // @ts-expect-error: browsers always have it
  delete globalThis.location;
  const first = await openTab();
  const second = await openTab();
  assert.deepEqual([first.stream.holds, second.stream.holds, FakeChannel.open], [true, true, []]);
});
