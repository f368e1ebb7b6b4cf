/** A connection of a stream as tests have it. */

import { settle } from "./world.js";

export const AT = "2026-01-05T12:00:00.000Z";

/** One connection of a stream. */
export class Wire {
  /** @type {ReadableStreamDefaultController<Uint8Array>|null} */
  #controller = null;
  body = new ReadableStream({
    start: (controller) => {
      this.#controller = controller;
    },
  });

  /** @param {URL} url @param {any} options */
  constructor(url, options) {
    this.url = url;
    this.options = options;
    options.signal?.addEventListener("abort", () => this.#controller?.error(options.signal.reason));
  }

  /** @param {string} text */
  async text(text) {
    this.#controller?.enqueue(new TextEncoder().encode(text));
    await settle();
  }

  /** @param {string} type @param {unknown} data @param {string} [id] @param {number} [retry] */
  async event(type, data, id, retry) {
    const fields = [`event: ${type}`, retry === undefined ? "" : `retry: ${retry}`, `data: ${JSON.stringify(data)}`];
    await this.text(`${[...fields, id ? `id: ${id}` : ""].filter(Boolean).join("\n")}\n\n`);
  }

  /** @param {string} id @param {string|undefined} key @param {unknown} data */
  put(id, key, data, event = "message") {
    return this.event(event, { ...(key === undefined ? {} : { key }), data, created_at: AT }, id);
  }

  async end() {
    this.#controller?.close();
    await settle();
  }
}
