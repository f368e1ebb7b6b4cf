/** A short, quiet tone for a message that is news. It is off until somebody turns it on, on this device. */

import { storage } from "../storage.js";

/** The storage key of the wish for it, for all who use this browser. */
const SOUND = "ssechat:sound";
/** Milliseconds for which there is no other tone, in no tab. */
const PAUSE = 2_000;
/** Milliseconds: a tone that comes later is no news any more. */
const LATE = 5_000;
/** In seconds, in hertz, and of the loudest. */
const TONE = { length: 0.3, begin: 660, end: 880, volume: 0.05 };

export class Sound {
  #lock;
  #sees;
  /** @type {AudioContext|null} made in a gesture: before one, browsers let no page sound */
  #context = null;
  #listeners = new AbortController();
  #paused = false;

  /**
   * @param {string} user the signed-in user's id
   * @param {(id: string) => Promise<boolean>} sees whether somebody looks at a conversation
   */
  constructor(user, sees) {
    this.#lock = `ssechat:sound:${user}`;
    this.#sees = sees;
    const { signal } = this.#listeners;
    const ready = () => this.wanted && this.#open() && this.#rest();
    for (const type of ["pointerup", "keyup"]) document.addEventListener(type, ready, { signal });
  }

  close() {
    this.#listeners.abort();
    this.#context?.close().catch(() => {});
    this.#context = null;
  }

  get wanted() {
    return storage.get(SOUND) !== null;
  }

  /** Turns it on, which lets it be heard, or off. Must be called in a gesture. @param {boolean} wanted */
  set wanted(wanted) {
    if (!wanted) {
      storage.remove(SOUND);
      return;
    }
    storage.set(SOUND, "1");
    this.#open();
    this.#play();
  }

  /**
   * Handles a new message of somebody else, in a conversation that is not muted.
   *
   * @param {Pick<import("../client.js").Message, "conversation_id">} message
   */
  async arrived({ conversation_id: id }) {
    if (!this.wanted || !this.#context || (await this.#sees(id))) return;
    const { locks } = navigator;
    if (locks) await locks.request(this.#lock, { ifAvailable: true }, (lock) => lock && this.#once());
    else if (!this.#paused) await this.#once();
  }

  /** Plays it, and returns when it may be played again. */
  async #once() {
    this.#paused = true;
    this.#play();
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    this.#paused = false;
  }

  /** @returns {boolean} whether it was not open yet, and is now */
  #open() {
    if (this.#context) return false;
    try {
      this.#context = new AudioContext();
    } catch {
      return false; // the browser has none, or no device for it
    }
    return true;
  }

  async #play() {
    const context = this.#context;
    const asked = Date.now();
    try {
      await context?.resume();
      if (context?.state === "running" && Date.now() - asked < LATE) this.#tone(context);
    } catch {
      // closed meanwhile, or the device has gone
    }
  }

  /** @param {AudioContext} context */
  #tone(context) {
    const { length, begin, end, volume } = TONE;
    const { currentTime: now, destination } = context;
    const oscillator = context.createOscillator();
    const gain = context.createGain();
    oscillator.frequency.setValueAtTime(begin, now);
    oscillator.frequency.setValueAtTime(end, now + length / 3);
    gain.gain.setValueAtTime(0, now);
    gain.gain.linearRampToValueAtTime(volume, now + 0.02);
    gain.gain.linearRampToValueAtTime(0, now + length);
    oscillator.connect(gain).connect(destination);
    oscillator.onended = () => this.#rest();
    oscillator.start(now);
    oscillator.stop(now + length);
  }

  /** Lets the device sleep until the next tone. */
  #rest() {
    this.#context?.suspend().catch(() => {});
  }
}
