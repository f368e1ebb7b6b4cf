/** Listening to events, and ending it. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Emitter } from "../../src/ssechat/web/emitter.js";

/** Runs the garbage collector, and lets go of what it found. */
async function collectGarbage() {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  for (let i = 0; i < 2; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a signal ends all listening that it was given to, also when garbage was collected meanwhile", async () => {
  const emitter = new Emitter();
  const ending = new AbortController();
  /** @type {string[]} */
  const heard = [];
  for (const type of ["one", "two"]) emitter.on(type, () => heard.push(type), { signal: ending.signal });
  emitter.on("one", () => heard.push("first of one"), { signal: ending.signal, once: true });
  await collectGarbage();
  for (const type of ["one", "two", "one"]) emitter.emit(type, null);
  assert.deepEqual(heard, ["one", "first of one", "two", "one"]);
  ending.abort();
  for (const type of ["one", "two"]) emitter.on(type, () => heard.push("too late"), { signal: ending.signal });
  for (const type of ["one", "two"]) emitter.emit(type, null);
  assert.equal(heard.length, 4);
});

test("a signal gets one listener of an emitter, whatever it ends there: Node warns of more than ten", () => {
  const [one, other] = [new Emitter(), new Emitter()];
  const { signal } = new AbortController();
  for (let i = 0; i < 12; i++) for (const emitter of [one, other]) emitter.on(`told ${i}`, () => {}, { signal });
  assert.equal(getEventListeners(signal, "abort").length, 2);
});
