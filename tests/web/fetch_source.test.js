/** Server-Sent Events by `fetch`. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { FetchSource } from "../../src/ssechat/web/fetch_source.js";
import { EventStream } from "../../src/ssechat/web/stream.js";
import { collect, fakeBrowser, settle } from "./world.js";

/** @type {ReadableStreamDefaultController<Uint8Array>} what the server writes to */
let wire;
let status = 200;
/** @type {AbortSignal} of the request */
let signal;

beforeEach(() => {
  fakeBrowser();
  status = 200;
  mock.method(globalThis, "fetch", async (/** @type {string} */ _, /** @type {any} */ options) => {
    signal = options.signal;
    const body = new ReadableStream({
      start(controller) {
        wire = controller;
      },
    });
    return new Response(body, { status });
  });
});

/** @param {string} text */
async function write(text) {
  wire.enqueue(new TextEncoder().encode(text));
  await settle();
}

/** What a source dispatches. */
async function opened() {
  const source = new FetchSource("https://chat.example/v1/events");
  const events = /** @type {any[]} */ ([]);
  for (const type of ["message", "hello"]) {
    source.addEventListener(type, (event) => {
      const { data, lastEventId } = /** @type {MessageEvent} */ (event);
      events.push([type, data, lastEventId]);
    });
  }
  let failed = 0;
  source.addEventListener("error", () => failed++);
  await settle();
  return { source, events, failed: () => failed };
}

test("events are read whatever the pieces in which they come", async () => {
  const { source, events } = await opened();
  assert.equal(source.readyState, FetchSource.OPEN);
  for (const character of 'event: hello\ndata: {"a":\ndata: 1}\nid: 1-x\n\n: a comment\n\ndata:two\ndata\n\n') {
    await write(character);
  }
  await write("data: three\r\nid: 2-y\r\n\r\nid: 3-z\nevent: hello\n\n");
  assert.deepEqual(events, [
    ["hello", '{"a":\n1}', "1-x"],
    ["message", "two\n", "1-x"],
    ["message", "three", "2-y"],
  ]);
});

test("a letter of several bytes may be cut", async () => {
  const { events } = await opened();
  const bytes = new TextEncoder().encode("data: „ä“\n\n");
  for (const byte of bytes) wire.enqueue(new Uint8Array([byte]));
  await settle();
  assert.deepEqual(events, [["message", "„ä“", ""]]);
});

test("the end of the response closes it, and so does a status other than 200, or no answer", async () => {
  const { source, failed } = await opened();
  wire.close();
  await settle();
  assert.deepEqual([source.readyState, failed()], [FetchSource.CLOSED, 1]);
  status = 503;
  assert.equal((await opened()).failed(), 1);
  mock.method(globalThis, "fetch", () => Promise.reject(new TypeError("fetch failed")));
  assert.equal((await opened()).failed(), 1);
});

test("once it is closed it says nothing more", async () => {
  const { source, events, failed } = await opened();
  source.addEventListener("message", () => source.close());
  await write("data: one\n\ndata: two\n\n");
  assert.deepEqual([events.length, failed(), signal.aborted], [1, 0, true]);
});

test("a stream takes it where there is no EventSource", async () => {
  Object.defineProperty(globalThis, "EventSource", { value: undefined, configurable: true });
  const stream = new EventStream({ url: () => "/events", probe: async () => {}, singleUse: true });
  const events = collect(stream, "event");
  stream.open();
  await settle();
  await write('event: hello\ndata: {"resumed":false}\nid: 1-x\n\n');
  assert.deepEqual([stream.status, events[0].id], ["live", "1-x"]);
  stream.close();
});

test("a stream that is closed while it looks for what reads it opens nothing", async () => {
  Object.defineProperty(globalThis, "EventSource", { value: undefined, configurable: true });
  const stream = new EventStream({ url: () => "/events", probe: async () => {}, singleUse: true });
  stream.open();
  await null;
  stream.close();
  await settle();
  assert.equal(/** @type {any} */ (fetch).mock.callCount(), 0);
});
