/** One stream: when it reconnects, from where, and what it says meanwhile. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { RequestError } from "../../src/ssechat/web/http.js";
import { EventStream, position } from "../../src/ssechat/web/stream.js";
import { collect, deferred, FakeSource, fakeBrowser, latestSource, pass, settle } from "./world.js";

const SILENCE = 45_000;

beforeEach(() => {
  fakeBrowser();
});

/** A stream that has connected. @param {Partial<ConstructorParameters<typeof EventStream>[0]>} options */
async function connected(options = {}) {
  const stream = new EventStream({ url: (cursor) => `/events?${cursor}`, probe: async () => {}, ...options });
  const statuses = collect(stream, "status");
  const events = collect(stream, "event");
  const unauthorized = collect(stream, "unauthorized");
  stream.open();
  await settle();
  return { stream, statuses, events, unauthorized };
}

test("a stream connects with the cookie and is live with its hello", async () => {
  const { stream, statuses } = await connected();
  assert.equal(latestSource().url, "/events?null");
  assert.equal(latestSource().options.withCredentials, true);
  latestSource().event("hello", { resumed: false }, "7-a");
  assert.deepEqual(statuses, ["connecting", "live"]);
  assert.equal(stream.cursor, "7-a");
});

test("an event has the cursor before it and after it", async () => {
  const { events } = await connected({ cursor: "7-a" });
  latestSource().event("message", { text: "hi" }, "8-b");
  assert.deepEqual(events, [{ type: "message", id: "8-b", after: "7-a", data: { text: "hi" } }]);
});

test("an event without an id leaves the cursor where it is", async () => {
  const { stream } = await connected({ cursor: "7-a" });
  latestSource().event("ping", { id: "7-a" });
  assert.equal(stream.cursor, "7-a");
});

test("data that is no JSON is left out", async () => {
  const { events } = await connected();
  latestSource().text("event: message\nid: 8-b\ndata: {\n\n");
  assert.deepEqual(events, []);
});

test("a stream that is silent for too long reconnects from its cursor", async () => {
  const { statuses } = await connected();
  latestSource().event("hello", {}, "7-a");
  await pass(SILENCE - 1000);
  latestSource().event("ping", { id: "7-a" });
  await pass(SILENCE - 1000);
  assert.equal(FakeSource.made.length, 1);
  await pass(1000);
  assert.equal(FakeSource.made.length, 2);
  assert.equal(FakeSource.made[0]?.readyState, FakeSource.CLOSED);
  assert.equal(latestSource().url, "/events?7-a");
  assert.deepEqual(statuses, ["connecting", "live", "reconnecting"]);
});

test("an interruption from which EventSource comes back by itself makes no other connection", async () => {
  const { statuses } = await connected();
  latestSource().event("hello", {}, "7-a");
  latestSource().fail({ gaveUp: false });
  await pass(10_000);
  assert.equal(FakeSource.made.length, 1);
  latestSource().event("hello", {}, "7-a");
  assert.deepEqual(statuses, ["connecting", "live", "reconnecting", "live"]);
});

test("where EventSource gives up, the stream reconnects, each time after a longer delay until it is live", async () => {
  await connected();
  for (const [count, delay] of [1000, 2000, 4000].entries()) {
    latestSource().fail({ gaveUp: true });
    await pass(delay - 100);
    assert.equal(FakeSource.made.length, count + 1);
    await pass(100);
    assert.equal(FakeSource.made.length, count + 2);
  }
  latestSource().event("hello", {}, "7-a");
  latestSource().fail({ gaveUp: true });
  await pass(1000);
  assert.equal(FakeSource.made.length, 5);
});

test("a stream whose credential is not valid any more closes and says so", async () => {
  const { stream, statuses, unauthorized } = await connected({ probe: () => Promise.reject(new RequestError(401)) });
  latestSource().fail({ gaveUp: true });
  await pass(60_000);
  assert.equal(unauthorized.length, 1);
  assert.equal(stream.status, "closed");
  assert.deepEqual(statuses, ["connecting", "reconnecting", "closed"]);
  assert.equal(FakeSource.made.length, 1);
});

test("a server that cannot check the credential is asked again, after its Retry-After", async () => {
  let asked = 0;
  const probe = async () => {
    if (asked++ === 0) throw new RequestError(503, {}, 30_000);
  };
  await connected({ probe });
  latestSource().fail({ gaveUp: true });
  await pass(1000 + 29_000);
  assert.deepEqual([asked, FakeSource.made.length], [1, 1]);
  await pass(1000);
  assert.deepEqual([asked, FakeSource.made.length], [2, 2]);
});

test("a stream that is one too many says so, and comes back after a quarter of a minute at the earliest", async () => {
  const { statuses } = await connected();
  latestSource().event("bye", { reason: "too_many" });
  latestSource().fail({ gaveUp: true });
  assert.deepEqual(statuses, ["connecting", "crowded"]);
  await pass(15_000 + 900);
  assert.equal(FakeSource.made.length, 1);
  await pass(100);
  assert.equal(FakeSource.made.length, 2);
  assert.deepEqual(statuses, ["connecting", "crowded"]);
});

test("after a bye for the end of the credential, the credential is checked", async () => {
  for (const reason of ["signed_out", "token_expired"]) {
    const { unauthorized } = await connected({ probe: () => Promise.reject(new RequestError(401)) });
    latestSource().event("bye", { reason });
    await pass(400);
    assert.equal(unauthorized.length, 0);
    await pass(100);
    assert.equal(unauthorized.length, 1);
  }
});

test("after a bye for another reason, EventSource comes back by itself", async () => {
  let probes = 0;
  const { statuses } = await connected({
    probe: async () => {
      probes++;
    },
  });
  latestSource().event("bye", { reason: "drain" });
  latestSource().fail({ gaveUp: false });
  await pass(10_000);
  assert.deepEqual([probes, FakeSource.made.length, statuses], [0, 1, ["connecting", "reconnecting"]]);
});

test("a ping beyond the cursor reconnects from the cursor, as an event got lost", async () => {
  await connected();
  latestSource().event("hello", {}, "7-a");
  latestSource().event("ping", { id: "7-a" });
  assert.equal(FakeSource.made.length, 1);
  latestSource().event("ping", { id: "9-c" });
  await settle();
  assert.equal(latestSource().url, "/events?7-a");
  assert.equal(FakeSource.made.length, 2);
});

test("a wake-up reconnects a stream that is not live, at once but not twice within a second", async () => {
  const { stream } = await connected();
  latestSource().event("hello", {}, "7-a");
  stream.wake();
  await settle();
  assert.equal(FakeSource.made.length, 1);
  latestSource().fail({ gaveUp: true });
  stream.wake();
  stream.wake();
  await settle();
  assert.equal(FakeSource.made.length, 2);
  await pass(1000);
  stream.wake();
  await settle();
  assert.equal(FakeSource.made.length, 3);
});

test("a wake-up reconnects a stream that looks live but has been silent for too long, as after a sleep", async (t) => {
  const { stream } = await connected();
  latestSource().event("hello", {}, "7-a");
  const woken = Date.now() + SILENCE + 1;
  t.mock.method(Date, "now", () => woken); // no timer has run meanwhile
  stream.wake();
  await settle();
  assert.equal(FakeSource.made.length, 2);
});

test("each connection with a ticket has a URL of its own, and no cookie", async () => {
  let tickets = 0;
  await connected({ singleUse: true, url: async () => `/events?ticket=${++tickets}` });
  assert.equal(latestSource().options.withCredentials, false);
  latestSource().fail({ gaveUp: false });
  await pass(1000);
  assert.equal(latestSource().url, "/events?ticket=2");
});

test("a ticket that cannot be had is asked for again", async () => {
  let asked = 0;
  const url = async () => {
    if (asked++ === 0) throw new RequestError(0);
    return "/events";
  };
  const { statuses } = await connected({ singleUse: true, url });
  assert.equal(FakeSource.made.length, 0);
  await pass(1000);
  assert.deepEqual([FakeSource.made.length, statuses], [1, ["connecting", "reconnecting"]]);
});

test("a stream that is closed while it waits for its URL or the answer to a probe does not connect", async () => {
  const ticket = /** @type {ReturnType<typeof deferred<string>>} */ (deferred());
  const first = await connected({ url: () => ticket.promise });
  first.stream.close();
  ticket.resolve("/events");
  await settle();
  assert.equal(FakeSource.made.length, 0);

  const probe = deferred();
  const second = await connected({ probe: () => probe.promise });
  latestSource().fail({ gaveUp: true });
  await pass(1000);
  second.stream.close();
  probe.resolve(null);
  await settle();
  assert.equal(FakeSource.made.length, 1);
  second.stream.reconnect();
  await settle();
  assert.equal(FakeSource.made.length, 1);
});

test("a failure that comes after the stream was closed is ignored", async () => {
  const ticket = /** @type {ReturnType<typeof deferred<string>>} */ (deferred());
  const { stream, unauthorized } = await connected({ url: () => ticket.promise });
  stream.close();
  ticket.reject(new RequestError(401));
  await settle();
  assert.deepEqual([unauthorized, stream.status], [[], "closed"]);
});

test("an earlier connection's events count no more", async () => {
  const { stream, events } = await connected();
  const earlier = latestSource();
  stream.reconnect();
  await settle();
  earlier.readyState = FakeSource.OPEN; // a task of the browser's that was under way
  earlier.event("message", {}, "8-b");
  earlier.fail({ gaveUp: true });
  await pass(5_000);
  assert.deepEqual([events, stream.cursor, FakeSource.made.length], [[], null, 2]);
});

test("an id's position is its number, and zero without one", () => {
  assert.deepEqual([position("12-ab"), position(null), position("x")], [12, 0, 0]);
});
