/** The shared worker that holds the stream, and the tabs' links to it. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { KINDS } from "../../src/ssechat/web/kinds.js";
import { SIGNED_IN } from "../../src/ssechat/web/storage.js";
import { WorkerLink } from "../../src/ssechat/web/worker_link.js";
import {
  collect,
  deferred,
  FakeChannel,
  FakeSource,
  fakeBrowser,
  fakeServer,
  latestSource,
  message,
  pass,
  settle,
} from "./world.js";

const ALICE = { base: "", user: "alice", kinds: "message" };

/** Whether the worker's script can be loaded, and answers. @type {"answers"|"fails"|"hangs"} */
let worker = "answers";
/** @type {ReturnType<typeof fakeBrowser>} */
let browser;
/** @type {MessagePort[]} */
let ports = [];
/** What was connected to the worker. */
let connected = 0;

/** SharedWorker, in the same process. */
class FakeWorker extends EventTarget {
  constructor() {
    super();
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    ports.push(port1, port2);
    if (worker === "fails") queueMicrotask(() => this.dispatchEvent(new Event("error")));
    if (worker === "answers") {
      connected++;
      globalThis.dispatchEvent(Object.assign(new Event("connect"), { ports: [port2] }));
    }
  }
}

beforeEach(async () => {
  browser = fakeBrowser();
  browser.localStorage.setItem(SIGNED_IN, "alice");
  Object.defineProperty(globalThis, "SharedWorker", { value: FakeWorker, configurable: true });
  const events = new EventTarget();
  for (const name of /** @type {const} */ (["addEventListener", "dispatchEvent"])) {
    if (!(name in globalThis)) {
      Object.defineProperty(globalThis, name, { value: events[name].bind(events), configurable: true });
    }
  }
  await import("../../src/ssechat/web/worker.js");
  worker = "answers";
  ports = [];
  connected = 0;
  fakeServer([message(1)]);
});

afterEach(() => {
  for (const port of ports) port.close();
});

/** Lets messages through ports arrive. */
async function arrive() {
  await new Promise((resolve) => setImmediate(resolve));
  await settle();
}

/** A tab of alice's. @param {ConstructorParameters<typeof ChatClient>[0]} options */
async function tab(options = {}) {
  const client = new ChatClient(options);
  client.user = "alice";
  const heard = { client, events: collect(client, "message"), unauthorized: collect(client, "unauthorized") };
  client.open();
  await arrive();
  return heard;
}

test("the worker holds the stream of all tabs, until the last one leaves", async () => {
  const [one, other] = [await tab(), await tab()];
  latestSource().event("hello", { user: "alice", resumed: false }, "1-a");
  latestSource().event("message", message(2), "2-b");
  await settle();
  assert.deepEqual([one.events.length, other.events.length], [1, 1]);
  assert.deepEqual([one.client.holdsStream, other.client.holdsStream, FakeSource.made.length], [false, false, 1]);
  one.client.close();
  await arrive();
  assert.equal(latestSource().readyState, FakeSource.OPEN);
  browser.window.dispatchEvent(new Event("pagehide"));
  await arrive();
  assert.equal(FakeSource.made[0]?.readyState, FakeSource.CLOSED);
  other.client.close();
});

test("a tab waits behind the worker, though its own request for the lock would overtake the worker's", async () => {
  const way = deferred();
  browser.navigator.locks?.delayNext(way.promise);
  const one = await tab();
  assert.equal(FakeSource.made.length, 0);
  way.resolve(null);
  await arrive();
  assert.deepEqual([FakeSource.made.length, one.client.holdsStream], [1, false]);
  one.client.close();
  await arrive();
});

test("a tab that listens to other kinds of events has them from a stream of the worker's that has them", async () => {
  const usual = await tab();
  const kinds = new Map(KINDS).set("poll", { durable: true });
  const [one, other] = [await tab({ kinds }), await tab({ kinds })];
  assert.equal(FakeSource.made.length, 2);
  const polls = [usual, one, other].map(({ client }) => collect(/** @type {any} */ (client), "poll"));
  for (const source of FakeSource.made) {
    source.event("hello", { user: "alice", resumed: false }, "1-a");
    source.event("poll", {}, "2-b");
    source.event("message", message(3), "3-c");
  }
  await settle();
  assert.deepEqual(
    polls.map(({ length }) => length),
    [0, 1, 1],
  );
  assert.deepEqual(
    [usual, one, other].map(({ events, client }) => [events.length, client.holdsStream]),
    [
      [1, false],
      [1, false],
      [1, false],
    ],
  );
  for (const { client } of [usual, one, other]) client.close();
  await arrive();
});

test("a tab that goes on from an event has a stream of its own: the worker's has gone on", async () => {
  const usual = await tab();
  const { client } = await tab({ cursor: "7-x" });
  assert.deepEqual([connected, client.holdsStream, latestSource().url], [1, true, "/v1/events?last_event_id=7-x"]);
  latestSource().event("hello", { user: "alice", resumed: true }, "8-x");
  client.close();
  client.open();
  await arrive();
  assert.deepEqual([connected, client.holdsStream, latestSource().url], [1, true, "/v1/events?last_event_id=8-x"]);
  client.close();
  usual.client.close();
  await arrive();
});

test("the worker acks what others write, and what was written before it came, for all tabs", async () => {
  const server = fakeServer();
  const acks = () => server.requests.filter((route) => route.includes("ack")).length;
  const { client } = await tab();
  latestSource().event("hello", { user: "alice", resumed: false }, "1-a");
  await pass(300);
  assert.deepEqual([acks(), server.bodies], [1, { "POST /v1/ack": { id: "1-a" } }]);
  await pass(1_000);
  latestSource().event("message", message(2, { sender: "alice" }), "2-b");
  await pass(2_000);
  assert.equal(acks(), 1, "one's own needs none");
  latestSource().event("message", message(3), "3-c");
  await pass(300);
  assert.deepEqual([acks(), server.bodies["POST /v1/ack"]], [2, { id: "3-c" }]);
  latestSource().event("message", message(4), "4-d");
  client.close();
  await arrive();
  await pass(2_000);
  assert.equal(acks(), 2, "nobody is here any more");
});

test("the worker acks nothing of an inbox that is empty", async () => {
  const server = fakeServer();
  const { client } = await tab();
  latestSource().event("hello", { user: "alice", resumed: false }, "0-a");
  await pass(2_000);
  assert.deepEqual(
    server.requests.filter((route) => route.includes("ack")),
    [],
  );
  client.close();
  await arrive();
});

test("when the session has ended the tabs hear it, and the next sign-in has a stream of its own", async () => {
  const { client, unauthorized } = await tab();
  client.on("unauthorized", () => client.close());
  fakeServer().failing = 401;
  latestSource().event("hello", { user: "alice", resumed: false }, "1-a");
  latestSource().event("bye", { reason: "signed_out" });
  await pass(1_000);
  await arrive();
  assert.equal(unauthorized.length, 1);
  fakeServer();
  const again = await tab();
  assert.equal(FakeSource.made.length, 2);
  again.client.close();
  await arrive();
});

test("a stream of somebody else, whom the cookie signs in now, is none", async () => {
  const { client, unauthorized, events } = await tab();
  client.on("unauthorized", () => client.close());
  latestSource().event("hello", { user: "eve", resumed: false }, "1-a");
  await settle();
  assert.deepEqual([unauthorized.length, events.length, latestSource().readyState], [1, 0, FakeSource.CLOSED]);
  client.close();
  await arrive();
});

for (const how of /** @type {const} */ (["fails", "hangs"])) {
  test(`a tab does without a worker that ${how}`, async () => {
    worker = how;
    const { client } = await tab();
    await pass(3_000);
    assert.equal(client.holdsStream, true);
    client.close();
  });
}

test("without locks the worker holds the stream, of whichever tabs come and go", async () => {
  browser.navigator.locks = undefined;
  const [one, other] = [await tab(), await tab()];
  latestSource().event("hello", { user: "alice", resumed: false }, "1-a");
  latestSource().event("message", message(2), "2-b");
  await settle();
  assert.deepEqual([one.events.length, other.events.length, FakeSource.made.length], [1, 1, 1]);
  one.client.close();
  await pass(10_000);
  const third = await tab();
  latestSource().event("message", message(3), "3-c");
  await settle();
  assert.deepEqual([other.events.length, third.events.length, FakeSource.made.length], [2, 1, 1]);
  assert.deepEqual([other.client.holdsStream, third.client.holdsStream], [false, false]);
  for (const { client } of [other, third]) client.close();
  await arrive();
  assert.equal(latestSource().readyState, FakeSource.CLOSED);
});

test("without locks a worker that is gone is missed by a tab, and one that comes anew takes over from it", async () => {
  browser.navigator.locks = undefined;
  const one = await tab();
  latestSource().event("hello", { user: "alice", resumed: false }, "1-a");
  await settle();
  for (const channel of FakeChannel.open.slice(1)) channel.frozen = true; // the worker's
  await pass(4_200);
  assert.deepEqual([one.client.holdsStream, latestSource().url], [true, "/v1/events?last_event_id=1-a"]);
  latestSource().event("hello", { user: "alice", resumed: true }, "1-a");
  const kinds = [...KINDS.keys()].sort().reverse().join(); // another worker to the tabs', that tells them the same
  const link = new WorkerLink({ base: "", user: "alice", kinds });
  await arrive();
  latestSource().event("hello", { user: "alice", resumed: false }, "1-a");
  latestSource().event("message", message(2), "2-b");
  await settle();
  assert.deepEqual([one.client.holdsStream, one.events.length], [false, 1]);
  link.leave();
  one.client.close();
  await arrive();
});

for (const how of /** @type {const} */ (["fails", "hangs"])) {
  test(`without locks, too, a tab does without a worker that ${how}`, async () => {
    browser.navigator.locks = undefined;
    worker = how;
    const one = await tab();
    await pass(3_000);
    assert.equal(one.client.holdsStream, true);
    const other = await tab();
    await pass(3_000);
    assert.deepEqual([one.client.holdsStream, other.client.holdsStream], [false, true]);
    for (const { client } of [one, other]) client.close();
  });
}

test("a tab that closes while it waits for the worker holds nothing", async () => {
  worker = "hangs";
  const { client } = await tab();
  client.close();
  await pass(3_000);
  assert.equal(FakeSource.made.length, 0);
});

test("with a token there is no worker: it could not ask for another one", async () => {
  const client = new ChatClient({ token: "t1" });
  client.user = "alice";
  client.open();
  await pass(1_000);
  assert.deepEqual([connected, client.holdsStream], [0, true]);
  client.close();
});

test("a library of another origin has no worker", async () => {
  Object.defineProperty(globalThis, "SharedWorker", {
    value: class {
      constructor() {
        throw new DOMException("not of this origin", "SecurityError");
      }
    },
    configurable: true,
  });
  const link = new WorkerLink(ALICE);
  await link.ready;
  link.leave();
  assert.equal(connected, 0);
});
