/** A feed as it is read: over connections that end, with what was missed, in loops. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Feed, numberOf, RequestError } from "../../src/ssechat/web/feeds.js";
import { AT, Wire } from "./wire.js";
import { collect, fakeBrowser, pass, settle } from "./world.js";

/** @type {Wire[]} */
let wires;
/** @type {{method: string, path: string}[]} requests other than for a stream */
let asked;
/** @type {((url: URL) => Response|Promise<Response>)|null} what answers in place of a stream */
let instead;
/** @type {any} what the feed has now, as JSON */
let now;
/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
  wires = [];
  asked = [];
  instead = null;
  now = null;
  mock.method(globalThis, "fetch", async (/** @type {string} */ address, /** @type {any} */ options = {}) => {
    const url = new URL(address, "https://chat.example");
    const isStream = url.pathname.endsWith("/events");
    if (!isStream) asked.push({ method: options.method ?? "GET", path: url.pathname + url.search });
    if (isStream && instead) return instead(url);
    if (url.pathname === "/v1/tickets") return Response.json({ ticket: `ticket ${asked.length}` });
    if (!isStream) return now ? Response.json(now) : refusal(503, "unavailable");
    const made = new Wire(url, options);
    wires.push(made);
    return new Response(made.body, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
  });
});

/** @param {number} status @param {string} code @param {Record<string, string>} headers */
function refusal(status, code, headers = {}) {
  return Response.json({ status, code, detail: "No." }, { status, headers });
}

/** The latest connection. */
function wire() {
  const found = wires.at(-1);
  if (!found) throw new Error("nobody has connected");
  return found;
}

/** @param {any[]} events */
const dataOf = (events) => events.map((event) => event.data);

/** A feed that is open, and its events. @param {any} [options] */
async function opened(options) {
  const feed = new Feed("prices", options);
  const seen = { feed, events: collect(feed, "event"), states: collect(feed, "state") };
  feed.open();
  await settle();
  return seen;
}

/** @param {Wire} on @param {any} said */
const hello = (on, said = {}) => on.event("hello", { feed: "prices", resumed: false, missed: 0, ...said });

test("what is published comes under whatever name it has, and the newest of each key is known", async () => {
  const { feed, events, states } = await opened();
  assert.equal(wire().url.href, "https://chat.example/v1/feeds/prices/events");
  assert.equal(wire().options.credentials, "same-origin");
  await wire().event("retry", {}, "1-x", 2000);
  await hello(wire());
  await wire().put("2-x", "A", 1);
  await wire().put("3-x", "B", { price: 2 }, "goal");
  await wire().put("4-x", "A", 3);
  await wire().event("caught_up", { id: "4-x" });
  await wire().put("5-x", "B", null);
  assert.deepEqual(dataOf(events), [1, { price: 2 }, 3, null]);
  assert.deepEqual(events[1], { id: "3-x", event: "goal", key: "B", data: { price: 2 }, created_at: AT });
  assert.deepEqual([...feed.values.keys()], ["A"]);
  assert.deepEqual(feed.known, { cursor: "5-x", events: [events[2]] });
  assert.deepEqual(
    states.map(({ state }) => state),
    ["connecting", "live"],
  );
  feed.close();
  assert.equal(feed.state.state, "closed");
});

test("what is no JSON is passed over", async () => {
  const { feed, events } = await opened();
  await wire().text("event: message\ndata: {\nid: 1-x\n\nevent: message\nretry: soon\ndata: 1\n\n");
  assert.equal(events.length, 1);
  feed.close();
});

test("a feed is named, or its URL is, on any server", async () => {
  const places = /** @type {[string|URL, any, string][]} */ ([
    ["a b", {}, "https://chat.example/v1/feeds/a%20b/events"],
    [
      "prices",
      { url: "https://other.example/chat/", last: 20 },
      "https://other.example/chat/v1/feeds/prices/events?last=20",
    ],
    [new URL("https://other.example/v1/feeds/prices"), {}, "https://other.example/v1/feeds/prices/events"],
    ["/v1/feeds/prices/events?x=1", {}, "https://chat.example/v1/feeds/prices/events"],
  ]);
  for (const [feed, options, url] of places) {
    const made = new Feed(feed, options);
    made.open();
    await settle();
    assert.equal(wire().url.href, url);
    made.close();
  }
});

test("a stream that ends goes on after the last event, when the server has asked to come back", async () => {
  const { feed, states } = await opened({ last: 5 });
  await wire().event("retry", {}, "1-x", 1500);
  await hello(wire());
  await wire().put("2-x", "A", 1);
  await wire().event("bye", { reason: "restarting" });
  await wire().end();
  const { state, retryAt, code } = feed.state;
  assert.deepEqual([state, (retryAt ?? 0) - Date.now(), code], ["reconnecting", 1500, "restarting"]);
  await pass(1400);
  assert.equal(wires.length, 1);
  await pass(200);
  assert.equal(wire().url.search, "?last_event_id=2-x");
  const said = collect(feed, "hello");
  await hello(wire(), { resumed: true, missed: 3 });
  assert.deepEqual(said, [{ feed: "prices", resumed: true, missed: 3 }]);
  assert.equal(states.at(-1).state, "live");
  feed.close();
});

test("a server that is full is asked again no sooner than it wants", async () => {
  const { feed, states } = await opened();
  for (let i = 0; i < 4; i++) {
    await wire().event("bye", { reason: "too_many" }, undefined, 3000);
    await wire().end();
    assert.equal(feed.state.code, "too_many");
    await pass(20_000);
  }
  const pauses = states.filter(({ retryAt }) => retryAt).map(({ retryAt }) => retryAt);
  assert.equal(pauses.length, 4);
  assert.deepEqual(
    pauses.map((at, i) => at - Date.now() + (4 - i) * 20_000),
    [3000, 3000, 4000, 8000],
  );
  feed.close();
});

test("attempts that fail come less and less often, or when the server says so, and at once when woken", async () => {
  instead = () => refusal(503, "unavailable");
  const { feed, states } = await opened();
  assert.deepEqual([feed.state.state, feed.state.code], ["reconnecting", "unavailable"]);
  await pass(10_000);
  const pauses = states.filter(({ retryAt }) => retryAt).map(({ retryAt }) => retryAt - Date.now() + 10_000);
  assert.deepEqual(pauses, [1000, 3000, 7000, 15_000]);
  instead = () => refusal(429, "too_many", { "Retry-After": "60" });
  browser.window.dispatchEvent(new Event("online"));
  await settle();
  assert.equal((feed.state.retryAt ?? 0) - Date.now(), 60_000);
  instead = null;
  feed.wake(); // the server has asked for the wait
  await settle();
  assert.equal(wires.length, 0);
  await pass(60_000);
  assert.equal(wires.length, 1);
  feed.close();
});

test("no network is a wait, and so is an answer that is no stream", async () => {
  instead = () => Promise.reject(new TypeError("failed to fetch"));
  const { feed } = await opened();
  assert.deepEqual([feed.state.state, feed.state.code], ["reconnecting", "unreachable"]);
  instead = () =>
    new Response("<h1>Sign in to this hotel's network</h1>", { headers: { "Content-Type": "text/html" } });
  await pass(1000);
  assert.deepEqual([feed.state.state, feed.state.code], ["reconnecting", "unreachable"]);
  feed.close();
});

test("a feed that is not there is said to be so, and is not asked for again", async () => {
  instead = () => refusal(404, "unknown_feed");
  const { feed } = await opened();
  assert.deepEqual([feed.state.state, feed.error?.code], ["closed", "unknown_feed"]);
  instead = null;
  await pass(120_000);
  assert.equal(wires.length, 0);
  feed.open();
  await settle();
  assert.deepEqual([wires.length, feed.error], [1, null]);
  feed.close();
});

test("a silent connection is given up, and one that lacks an event that the server has sent", async () => {
  const { feed } = await opened();
  await hello(wire());
  await wire().put("2-x", "A", 1);
  await pass(44_000);
  await wire().event("ping", { id: "2-x" });
  await pass(44_000);
  assert.equal(wires.length, 1);
  await pass(3_000);
  assert.equal(wires.length, 2);
  await wire().event("ping", { id: "3-x" });
  await pass(3_000);
  assert.equal(wires.length, 3);
  assert.equal(wire().url.search, "?last_event_id=2-x");
  feed.close();
});

test("a connection that was silent while the device slept is given up when it wakes", async () => {
  const { feed } = await opened();
  await hello(wire());
  feed.wake();
  await pass(1000);
  assert.equal(wires.length, 1);
  const later = Date.now() + 60_000;
  mock.method(Date, "now", () => later);
  assert.ok(!wire().options.signal.aborted);
  browser.document.dispatchEvent(new Event("visibilitychange"));
  assert.ok(wire().options.signal.aborted);
  feed.close();
});

test("what was missed and is not kept is loaded, and keys that are gone are deleted", async () => {
  const { feed, events } = await opened();
  const resets = collect(feed, "reset");
  await hello(wire());
  await wire().put("2-x", "A", 1);
  await wire().put("3-x", "B", 1);
  now = {
    name: "prices",
    keyed: true,
    id: "9-y",
    events: [{ id: "9-y", event: "message", key: "B", data: 5, created_at: AT }],
  };
  await wire().text(
    'event: reset\ndata: {"reason":"expired","oldest":"8-y","newest":"9-y"}\nid: 9-y\n\n' +
      'event: message\ndata: {"data":7}\nid: 10-y\n\n',
  );
  await pass(100);
  assert.deepEqual(resets, [{ reason: "expired" }]);
  assert.deepEqual(asked, [{ method: "GET", path: "/v1/feeds/prices?last=200" }]);
  assert.deepEqual(
    events.slice(2).map(({ key, data }) => [key, data]),
    [
      ["A", null],
      ["B", 5],
    ],
  );
  assert.equal(wire().url.search, "?last_event_id=9-y");
  assert.deepEqual([...feed.values.keys()], ["B"]);
  feed.close();
});

test("a server that cannot say what was missed is asked again, and not without a pause", async () => {
  const { feed } = await opened();
  await hello(wire());
  await wire().put("2-x", "A", 1);
  await wire().event("reset", { reason: "lost" }, "9-y");
  assert.equal(asked.length, 1); // 503
  assert.equal(feed.known.cursor, "2-x", "who goes on from there later is told, too");
  now = { name: "prices", keyed: true, id: "9-y", events: [] };
  await pass(1000);
  assert.equal(asked.length, 2);
  const before = wires.length;
  await wire().event("reset", { reason: "lost" }, "9-y");
  assert.equal(wires.length, before, "resets one after the other are no storm");
  await pass(3_000);
  assert.equal(wires.length, before + 1);
  feed.close();
});

test("a page goes on with what an earlier one knew", async () => {
  const events = [{ id: "4-x", event: "message", key: "A", data: 1, created_at: AT }];
  const { feed } = await opened({ known: { cursor: "7-x", events } });
  assert.deepEqual([feed.values.get("A")?.data, wire().url.search], [1, "?last_event_id=7-x"]);
  feed.close();
  const anew = new Feed("prices", { known: JSON.parse(JSON.stringify(feed.known)) });
  assert.deepEqual(anew.known, { cursor: "7-x", events });
});

test("who has a token gets a ticket for each connection, and a feed ends while it waits for one", async () => {
  const { feed } = await opened({ token: "secret" });
  assert.equal(wire().url.searchParams.get("ticket"), "ticket 1");
  assert.equal(wire().options.credentials, "omit");
  await wire().end();
  await pass(2000);
  assert.equal(wire().url.searchParams.get("ticket"), "ticket 2");
  feed.close();
  feed.open();
  feed.close();
  const before = wires.length;
  await pass(1000);
  assert.equal(wires.length, before);
});

test("a signal ends a feed for good", async () => {
  const ends = new AbortController();
  const { feed } = await opened({ signal: ends.signal });
  feed.open(); // it is open
  await settle();
  assert.equal(wires.length, 1);
  ends.abort();
  assert.equal(feed.state.state, "closed");
  assert.ok(wire().options.signal.aborted);
  feed.open();
  await pass(60_000);
  assert.equal(wires.length, 1);
});

test("a page that is kept in memory holds no connection", async () => {
  const { feed } = await opened();
  await hello(wire());
  const hides = Object.assign(new Event("pagehide"), { persisted: true });
  browser.window.dispatchEvent(hides);
  assert.ok(wire().options.signal.aborted);
  await settle();
  browser.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await settle();
  assert.equal(wires.length, 2);
  feed.close();
});

test("a loop has the newest of each key where it is slow, and ends with the signal", async () => {
  const ends = new AbortController();
  const feed = new Feed("prices", { signal: ends.signal });
  const loop = feed[Symbol.asyncIterator]();
  const first = loop.next();
  await settle();
  await hello(wire());
  await wire().put("2-x", "A", 1);
  assert.equal((await first).value?.data, 1);
  for (let n = 3; n < 10; n++) await wire().put(`${n}-x`, n % 2 ? "A" : "B", n);
  assert.deepEqual([(await loop.next()).value?.data, (await loop.next()).value?.data], [8, 9]);
  const last = loop.next();
  await settle();
  ends.abort();
  assert.deepEqual(await last, { value: undefined, done: true });
});

test("a loop over a feed that is open begins with what is known, and leaves it open", async () => {
  const { feed } = await opened();
  await hello(wire());
  await wire().put("2-x", "A", 1);
  for await (const { data } of feed) {
    assert.equal(data, 1);
    break;
  }
  assert.equal(feed.state.state, "live");
  feed.close();
  for await (const { data } of feed) {
    assert.equal(data, 1);
    break;
  }
  assert.equal(feed.state.state, "closed");
});

test("a loop fails where the server refuses the feed, and where it is too slow for one without keys", async () => {
  instead = () => refusal(403, "not_a_member");
  await assert.rejects(
    new Feed("prices")[Symbol.asyncIterator]().next(),
    (/** @type {any} */ error) => error instanceof RequestError && error.code === "not_a_member",
  );
  instead = null;
  const feed = new Feed("prices");
  const loop = feed[Symbol.asyncIterator]();
  const first = loop.next();
  await settle();
  const event = (/** @type {number} */ n) => `data: {"data":${n}}\nid: ${n}-x\n\n`;
  await wire().text(event(0));
  await first;
  await wire().text(Array.from({ length: 10_001 }, (_, n) => event(n + 1)).join(""));
  for (let n = 1; n <= 10_000; n++) assert.equal((await loop.next()).value?.data, n);
  await assert.rejects(loop.next(), RangeError);
  assert.equal(feed.state.state, "closed");
});

test("an id begins with its number", () => {
  assert.deepEqual([numberOf("12-abc"), numberOf(""), numberOf(null)], [12, 0, 0]);
});
