/** Tells the server what this device has: one ack for all that has come, by what holds the stream. */

import { requestError } from "./http.js";

/** Milliseconds until the first ack, within which the messages may be read, and between two acks. */
const SOON = 250;
const PAUSE = 1_000;

/** Milliseconds more until the next one where the server could not be told. */
const AGAIN = 10_000;

/** The acks of a client, sent while it holds the stream; others leave them to the one that does. */
export class Acks {
  #client;
  #unacked = false;
  #ackedAt = -PAUSE;
  #closed = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /** @param {import("./client.js").ChatClient} client */
  constructor(client) {
    this.#client = client;
  }

  /** Must be called when something has come that the server is to know of. */
  soon() {
    this.#unacked = true;
    if (this.#timer !== undefined || this.#closed) return;
    const wait = Math.max(SOON, this.#ackedAt + PAUSE - performance.now());
    this.#timer = setTimeout(() => this.#ack(), wait);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #ack() {
    const { cursor, holdsStream } = this.#client;
    if (this.#unacked && holdsStream && cursor !== null) {
      this.#unacked = false;
      this.#ackedAt = performance.now();
      try {
        await this.#client.http.request("POST", "/v1/ack", { body: { id: cursor } });
      } catch (thrown) {
        if (requestError(thrown).temporary) {
          this.#unacked = true;
          this.#ackedAt += AGAIN;
        }
      }
    }
    this.#timer = undefined;
    if (this.#unacked && holdsStream) this.soon();
  }
}
