/** Which of the loaded messages are in the page. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { indexOf, MessageWindow } from "../../src/ssechat/web/views/window.js";
import { message } from "./world.js";

/** @param {number} first @param {number} last */
const messages = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => message(first + i));

/** A window of a hundred messages. */
const ofAHundred = () => Object.assign(new MessageWindow(), { most: 100 });

/** The first and the last seq in the page. @param {MessageWindow} shown @param {any[]} every */
const seqs = (shown, every) => {
  const { from, to } = shown.range(every);
  return [every[from]?.seq, every[to - 1]?.seq];
};

test("a window begins with the newest messages and follows them", () => {
  const shown = ofAHundred();
  assert.deepEqual(shown.range([]), { from: 0, to: 0 });
  assert.deepEqual(seqs(shown, messages(1, 50)), [1, 50]);
  assert.deepEqual(seqs(shown, messages(1, 1000)), [901, 1000]);
  assert.deepEqual(seqs(shown, messages(1, 1001)), [902, 1001]);
});

test("a window takes in older messages and, trimmed, gives up the newest, until it follows them again", () => {
  const shown = ofAHundred();
  const every = messages(1, 1000);
  assert.equal(shown.extend(every, -50), true);
  assert.deepEqual(seqs(shown, every), [851, 1000]);
  shown.trim(every, true);
  assert.deepEqual([seqs(shown, every), shown.follows], [[851, 950], false]);
  assert.deepEqual(seqs(shown, messages(1, 1100)), [851, 950]);
  assert.deepEqual(seqs(shown, messages(800, 1100)), [851, 950]);
  assert.equal(shown.extend(every, 50), true);
  shown.trim(every, false);
  assert.deepEqual([seqs(shown, every), shown.follows], [[901, 1000], true]);
  assert.equal(shown.extend(every, 50), false);
  shown.extend(every, -50);
  shown.trim(every, true);
  shown.toNewest();
  assert.deepEqual([seqs(shown, every), shown.follows], [[901, 1000], true]);
});

test("at the first message there are no older ones to take in, until some are loaded", () => {
  const shown = ofAHundred();
  const some = messages(950, 1000);
  assert.equal(shown.extend(some, -50), false);
  shown.toMessage(some, 950);
  assert.deepEqual(seqs(shown, some), [950, 1000]);
  assert.equal(shown.extend(messages(920, 1000), -50), true);
  assert.deepEqual(seqs(shown, messages(920, 1000)), [920, 1000]);
});

test("a window goes to a message, with as many around it as there are", () => {
  const shown = ofAHundred();
  const every = messages(1, 1000);
  for (const [seq, expected] of /** @type {[number, number[]][]} */ ([
    [500, [450, 549]],
    [1, [1, 100]],
    [1000, [901, 1000]],
  ])) {
    shown.toMessage(every, seq);
    assert.deepEqual(seqs(shown, every), expected);
  }
});

test("where other messages are loaded in place of those of a window, it has none of them until it goes there", () => {
  const every = messages(1, 1000);
  for (const [seq, loaded, expected] of /** @type {[number, any[], number[]][]} */ ([
    [500, messages(1, 50), [1, 50]],
    [1000, messages(1, 200), [101, 200]],
    [500, messages(700, 1000), [700, 799]],
  ])) {
    const shown = ofAHundred();
    shown.toMessage(every, seq);
    assert.deepEqual([shown.has(every, seq), shown.has(every, seq - 100)], [true, false]);
    for (const { seq: one } of loaded) assert.equal(shown.has(loaded, one), false);
    shown.stay(loaded);
    assert.deepEqual(seqs(shown, loaded), expected);
    shown.stay(loaded);
    assert.deepEqual(seqs(shown, loaded), expected);
  }
  const none = ofAHundred();
  none.stay([]);
  assert.deepEqual([none.has([], 1), none.follows], [false, true]);
});

test("what comes in while an older message is read is given up at the end that is told", () => {
  const shown = ofAHundred();
  const every = messages(1, 1000);
  shown.toMessage(every, 1000);
  const more = messages(1, 1100);
  shown.trim(more, false);
  assert.deepEqual(seqs(shown, more), [1001, 1100]);
  shown.toMessage(every, 1000);
  shown.trim(more, true);
  assert.deepEqual([seqs(shown, more), shown.follows], [[901, 1000], false]);
});

test("a message is found by its seq, or the next one where it is missing", () => {
  const every = [message(3), message(5), message(9)];
  assert.deepEqual(
    [1, 3, 4, 9, 10].map((seq) => indexOf(every, seq)),
    [0, 0, 1, 2, 3],
  );
});
