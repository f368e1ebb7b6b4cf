/** The requests that every program makes about conversations. */

import { conversationPath } from "./paths.js";

/** Every method throws a RequestError, as ChatClient says. */
export class BaseConversationRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * A page of conversations, most recent first.
   *
   * @param {{before?: string|undefined, limit?: number|undefined}} options
   * @returns {Promise<{conversations: import("./store.js").Listed[], next: string|null}>} `next` is the `before` of the
   *   page after it
   */
  list({ before, limit } = {}) {
    return this.#http.request("GET", "/v1/conversations", { query: { before, limit } });
  }

  /** One conversation, as the list has it; of one that the user has left: as it was then. @param {string} id */
  get(id) {
    return this.#http.request("GET", conversationPath(id));
  }

  /**
   * Marks messages as read, up to a seq.
   *
   * @param {string} id
   * @param {number} up_to
   * @returns {Promise<import("./marks.js").Mark & {unread: number, mentions: number[]}>}
   */
  markRead(id, up_to) {
    return this.#http.request("PUT", conversationPath(id, "read"), { body: { up_to } });
  }
}
