/** Server-Sent Events by `fetch`, for programs that have no EventSource. */

import { readEvents } from "./event_reader.js";

/**
 * What EventSource is to stream.js, but for reconnecting: when the response ends, it is closed. It takes lines that end
 * with LF or CRLF.
 */
export class FetchSource extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  #closing = new AbortController();

  /** @param {string} url */
  constructor(url) {
    super();
    this.readyState = FetchSource.CONNECTING;
    this.#read(url);
  }

  close() {
    this.readyState = FetchSource.CLOSED;
    this.#closing.abort();
  }

  /** @param {string} url */
  async #read(url) {
    try {
      const headers = { Accept: "text/event-stream" };
      const response = await fetch(url, { headers, cache: "no-store", signal: this.#closing.signal });
      if (response.status === 200 && response.body) await this.#dispatchAll(response.body);
    } catch {
      // what was not closed here has failed
    }
    if (this.readyState === FetchSource.CLOSED) return;
    this.close();
    this.dispatchEvent(new Event("error"));
  }

  /** @param {ReadableStream<Uint8Array>} body */
  async #dispatchAll(body) {
    this.readyState = FetchSource.OPEN;
    await readEvents(body, ({ type, data, id }) => {
      if (this.readyState === FetchSource.CLOSED) return;
      this.dispatchEvent(new MessageEvent(type, { data, lastEventId: id }));
    });
  }
}
