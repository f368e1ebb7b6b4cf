/**
 * The shared worker. It takes part as if it were a tab, the first one: so it holds the stream of all tabs, but is never
 * hidden, frozen or busy with a page. If it ends, the next tab in the lock's queue takes over.
 */

import { ChatClient } from "./client.js";

/** The streams, by the URL of the server and the user. */
class Streams {
  /** @type {Map<string, {client: ChatClient, tabs: Set<MessagePort>}>} */
  #held = new Map();

  /** @param {MessagePort} tab */
  connect(tab) {
    tab.onmessage = ({ data }) => {
      if (data === null) this.#leave(tab);
      else this.#join(tab, data);
    };
  }

  /** @param {MessagePort} tab @param {{base: string, user: string}} of */
  #join(tab, { base, user }) {
    const key = `${base} ${user}`;
    const held = this.#held.get(key) ?? { client: new ChatClient({ base, workers: false }), tabs: new Set() };
    held.tabs.add(tab);
    if (!this.#held.has(key)) {
      this.#held.set(key, held);
      held.client.user = user;
      held.client.on("unauthorized", () => this.#end(key, held.client));
      held.client.open();
    }
    tab.postMessage("waiting");
  }

  /** @param {MessagePort} tab */
  #leave(tab) {
    for (const [key, { client, tabs }] of this.#held) {
      if (tabs.delete(tab) && tabs.size === 0) this.#end(key, client);
    }
  }

  /** @param {string} key @param {ChatClient} client */
  #end(key, client) {
    client.close();
    this.#held.delete(key);
  }
}

const streams = new Streams();

globalThis.addEventListener("connect", (event) => {
  const [tab] = /** @type {MessageEvent} */ (event).ports;
  if (tab) streams.connect(tab);
});
