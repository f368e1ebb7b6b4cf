/** The messages that a program has sent and waits for. */

import { RequestError } from "./http.js";

/** @typedef {import("./client.js").Message} Message */

/**
 * @typedef {object} Waiter
 * @property {string} id of the conversation
 * @property {(message: Message) => void} resolve
 * @property {(reason: unknown) => void} reject
 */

/** Promises of messages, by their `client_msg_id`; several may wait for one. */
export class Awaited {
  /** @type {Map<string, Waiter[]>} */
  #waiters = new Map();

  /**
   * Waits for a message.
   *
   * @param {string} name its `client_msg_id`
   * @param {string} id of the conversation
   * @returns {Promise<Message>}
   */
  wait(name, id) {
    return new Promise((resolve, reject) => {
      this.#waiters.set(name, [...(this.#waiters.get(name) ?? []), { id, resolve, reject }]);
    });
  }

  /** @param {Message} message one that is sent */
  resolve(message) {
    for (const { resolve } of this.#take(message.client_msg_id)) resolve(message);
  }

  /** @param {string} name @param {unknown} reason */
  reject(name, reason) {
    for (const { reject } of this.#take(name)) reject(reason);
  }

  /** @param {unknown} reason why nothing is waited for any more */
  rejectAll(reason) {
    for (const name of [...this.#waiters.keys()]) this.reject(name, reason);
  }

  /**
   * Settles what a change has decided: the server has refused a message, or the history shows it, as the response and
   * the event of it were lost.
   *
   * @param {import("./base_chat.js").BaseChat} chat
   * @param {string|null} id of the conversation that has changed, null when any may have
   */
  changed({ outbox, store, user }, id) {
    for (const [name, [waiter]] of [...this.#waiters]) {
      if (!waiter || (id !== null && waiter.id !== id)) continue;
      const entry = outbox.entry(name);
      if (entry?.state === "failed") {
        const refusal = new RequestError(400, { code: entry.code ?? "unknown", detail: entry.reason ?? "" });
        this.reject(name, refusal);
        outbox.remove(name);
      } else if (!entry) {
        const { messages } = store.ensure(waiter.id).thread;
        const sent = messages.find((one) => one.sender === user && one.client_msg_id === name);
        if (sent) this.resolve(sent);
      }
    }
  }

  /** @param {string} name */
  #take(name) {
    const waiters = this.#waiters.get(name) ?? [];
    this.#waiters.delete(name);
    return waiters;
  }
}
