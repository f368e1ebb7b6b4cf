/** The tone of a message that is news. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { storage } from "../../src/ssechat/web/storage.js";
import { Sound } from "../../src/ssechat/web/views/sound.js";
import { fakeBrowser, settle } from "./world.js";

/** The part of Web Audio that the page uses. */
class FakeAudioContext {
  static made = 0;
  static broken = false;
  /** Milliseconds that the device takes to begin. */
  static delay = 0;
  static played = 0;
  static state = "";
  currentTime = 0;
  destination = {};

  constructor() {
    if (FakeAudioContext.broken) throw new Error("no device");
    FakeAudioContext.made++;
    FakeAudioContext.state = "running"; // as in a gesture
  }

  get state() {
    return FakeAudioContext.state;
  }

  async resume() {
    if (FakeAudioContext.state === "closed") throw new Error("closed");
    mock.timers.tick(FakeAudioContext.delay);
    FakeAudioContext.state = "running";
  }

  async suspend() {
    FakeAudioContext.state = "suspended";
  }

  async close() {
    FakeAudioContext.state = "closed";
  }

  createOscillator() {
    const parameter = { setValueAtTime() {} };
    return {
      frequency: parameter,
      connect: (/** @type {any} */ next) => next,
      start: () => FakeAudioContext.played++,
      onended: () => {},
      stop() {
        this.onended();
      },
    };
  }

  createGain() {
    const gain = { setValueAtTime() {}, linearRampToValueAtTime() {} };
    return { gain, connect: (/** @type {any} */ next) => next };
  }
}

const NEWS = { conversation_id: "dm:alice:bob" };
/** @type {EventTarget} */
let page;
let looking = false;
/** @type {Sound[]} */
let sounds = [];

beforeEach(() => {
  fakeBrowser();
  page = new EventTarget();
  Object.assign(globalThis, { document: page, AudioContext: FakeAudioContext });
  Object.assign(FakeAudioContext, { made: 0, broken: false, delay: 0, played: 0 });
  looking = false;
  storage.remove("ssechat:sound");
});

afterEach(() => {
  for (const sound of sounds) sound.close();
  sounds = [];
});

const tab = () => {
  const sound = new Sound("alice", async () => looking);
  sounds.push(sound);
  return sound;
};
const touch = () => page.dispatchEvent(new Event("pointerup"));

/** Somebody who has turned it on before the page was loaded, and has done something in it. */
const ready = () => {
  storage.set("ssechat:sound", "1");
  const sound = tab();
  touch();
  return sound;
};

/** @param {Sound} sound */
const hear = async (sound) => {
  const before = FakeAudioContext.played;
  sound.arrived(NEWS);
  await settle();
  return FakeAudioContext.played - before;
};

test("there is no tone, and nothing that could make one, until somebody turns it on", async () => {
  const sound = tab();
  touch();
  assert.deepEqual([sound.wanted, await hear(sound), FakeAudioContext.made], [false, 0, 0]);
  sound.wanted = true;
  await settle();
  assert.deepEqual([sound.wanted, FakeAudioContext.played], [true, 1]); // it lets itself be heard
  assert.equal(await hear(sound), 1);
  sound.wanted = false;
  mock.timers.tick(2_000);
  await settle();
  assert.deepEqual([sound.wanted, await hear(sound)], [false, 0]);
});

test("what was chosen holds for the next page, which sounds after a gesture", async () => {
  storage.set("ssechat:sound", "1");
  const sound = tab();
  assert.deepEqual([sound.wanted, await hear(sound), FakeAudioContext.made], [true, 0, 0]);
  touch();
  touch();
  assert.deepEqual([FakeAudioContext.made, FakeAudioContext.state], [1, "suspended"]);
  assert.equal(await hear(sound), 1);
  assert.equal(FakeAudioContext.state, "suspended"); // the device sleeps until the next one
});

test("nobody hears of what somebody looks at", async () => {
  const sound = ready();
  looking = true;
  assert.equal(await hear(sound), 0);
  looking = false;
  assert.equal(await hear(sound), 1);
});

test("there is one tone in two seconds, with locks in one of all tabs", async () => {
  for (const locks of [true, false]) {
    if (!locks) Object.defineProperty(navigator, "locks", { value: undefined, configurable: true });
    const sound = ready();
    const other = locks ? ready() : sound;
    assert.deepEqual([await hear(sound), await hear(other), await hear(sound)], [1, 0, 0]);
    mock.timers.tick(1_999);
    assert.equal(await hear(other), 0);
    mock.timers.tick(1);
    await settle();
    assert.equal(await hear(other), 1);
    mock.timers.tick(2_000);
    await settle();
  }
});

test("a tone that comes too late is none", async () => {
  const sound = ready();
  FakeAudioContext.delay = 5_000;
  assert.equal(await hear(sound), 0);
});

test("a browser without sound, or with a device that fails, is silent", async () => {
  FakeAudioContext.broken = true;
  const broken = tab();
  broken.wanted = true;
  assert.deepEqual([await hear(broken), FakeAudioContext.made], [0, 0]);
  Reflect.deleteProperty(globalThis, "AudioContext");
  const without = ready();
  without.wanted = true;
  assert.equal(await hear(without), 0);
});

test("a tab that is closed has given its device back, and opens none", async () => {
  const sound = ready();
  sound.close();
  touch();
  assert.deepEqual([FakeAudioContext.state, FakeAudioContext.made, await hear(sound)], ["closed", 1, 0]);
});
