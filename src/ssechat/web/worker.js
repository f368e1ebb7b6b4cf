/**
 * The shared worker. It takes part as if it were a tab, the first one: so it holds the stream of all tabs, but is never
 * hidden, frozen or busy with a page. If it ends, the next tab in the lock's queue takes over; without locks, the first
 * visible one that finds it silent. Acks are sent by what holds the stream, so here.
 */

import { Acks } from "./acks.js";
import { BaseClient } from "./base_client.js";
import { locks } from "./platform.js";
import { position } from "./stream.js";

/** @typedef {{client: BaseClient, acks: Acks, tabs: Set<MessagePort>}} Held */

/** @typedef {{base: string, user: string, kinds: string}} Of `kinds` are names of events, with commas between them */

/** The streams, by what they are of. */
class Streams {
  /** @type {Map<string, Held>} */
  #held = new Map();

  /** @param {MessagePort} tab */
  connect(tab) {
    tab.onmessage = ({ data }) => {
      if (data === null) this.#leave(tab);
      else this.#join(tab, data);
    };
  }

  /** @param {MessagePort} tab @param {Of} of */
  async #join(tab, of) {
    const key = `${of.base} ${of.user} ${of.kinds}`;
    const held = this.#held.get(key) ?? this.#hold(key, of);
    held.tabs.add(tab);
    await locks()?.query(); // the request for the lock has come, too: a tab's, made later, could overtake it
    tab.postMessage("waiting");
  }

  /** @param {string} key @param {Of} of @returns {Held} */
  #hold(key, { base, user, kinds }) {
    const named = new Map(kinds.split(",").map((name) => [name, { durable: true }]));
    const client = new BaseClient({ base, kinds: named, workers: false });
    const acks = new Acks(client);
    const held = { client, acks, tabs: new Set() };
    this.#held.set(key, held);
    client.user = user;
    client.on("message", ({ sender }) => sender !== user && acks.soon());
    // The tabs load what was written meanwhile; in an empty inbox there is nothing.
    client.on("reload", () => position(client.cursor) > 0 && acks.soon());
    client.on("unauthorized", () => this.#end(key, held));
    client.open();
    return held;
  }

  /** @param {MessagePort} tab */
  #leave(tab) {
    for (const [key, held] of this.#held) {
      if (held.tabs.delete(tab) && held.tabs.size === 0) this.#end(key, held);
    }
  }

  /** @param {string} key @param {Held} held */
  #end(key, { client, acks }) {
    acks.close();
    client.close();
    this.#held.delete(key);
  }
}

const streams = new Streams();

globalThis.addEventListener("connect", (event) => {
  const [tab] = /** @type {MessageEvent} */ (event).ports;
  if (tab) streams.connect(tab);
});
