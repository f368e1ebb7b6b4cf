/** Events as an asynchronous iteration. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Emitter } from "../../src/ssechat/web/emitter.js";
import { iterate } from "../../src/ssechat/web/iterate.js";

const every = () => true;

test("events that came before the loop asked for them are kept, up to a number; then it fails", async () => {
  const target = /** @type {Emitter<{event: number}>} */ (new Emitter());
  const loop = iterate(target, "event", { signals: [], wanted: every });
  for (let i = 0; i <= 10_000; i++) target.emit("event", i);
  let last = -1;
  await assert.rejects(async () => {
    for await (const each of loop) last = /** @type {number} */ (each);
  }, RangeError);
  assert.equal(last, 9_999);
});

test("a loop gets what it wants, until one of its signals is aborted", async () => {
  const target = /** @type {Emitter<{event: number}>} */ (new Emitter());
  const [first, second] = [new AbortController(), new AbortController()];
  const options = { signals: [first.signal, second.signal], wanted: (/** @type {number} */ each) => each % 2 === 1 };
  const loop = iterate(target, "event", options);
  const waiting = loop.next();
  for (let i = 0; i < 4; i++) target.emit("event", i);
  assert.deepEqual([(await waiting).value, (await loop.next()).value], [1, 3]);
  const ended = loop.next();
  second.abort();
  assert.equal((await ended).done, true);
});

test("a signal that was aborted before ends the loop at once", async () => {
  const loop = iterate(new EventTarget(), "event", { signals: [AbortSignal.abort()], wanted: every });
  assert.equal((await loop.next()).done, true);
});
