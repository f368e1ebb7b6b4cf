/** The requests that every program makes about messages: reading and sending. */

import { newMessageId } from "./ids.js";
import { conversationPath } from "./paths.js";

/** @typedef {import("./client.js").Message} Message */

/** Every method throws a RequestError, as ChatClient says. */
export class BaseMessageRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * A page of a conversation's messages, ascending by seq: the newest, those before or after a seq (exclusive), or
   * those around one.
   *
   * @param {string} conversationId
   * @param {{before?: number|null|undefined, after?: number|undefined, around?: number|undefined,
   *   limit?: number|undefined}} options
   * @returns {Promise<{messages: Message[], has_more: boolean, has_more_before?: boolean, has_more_after?: boolean}>}
   */
  list(conversationId, { before, after, around, limit } = {}) {
    const path = conversationPath(conversationId, "messages");
    return this.#http.request("GET", path, { query: { before, after, around, limit } });
  }

  /**
   * Sends a message to a user (`to`) or to a conversation (`conversation_id`). A retry with the same
   * `client_msg_id` is idempotent: the message is sent once. `reply_to` is the seq of the message that it answers,
   * `mentions` are members, `data` is an object of the application's own.
   *
   * @param {{to?: string|undefined, conversation_id?: string, text: string, client_msg_id?: string,
   *   reply_to?: number|undefined, mentions?: string[]|undefined, data?: object|undefined}} message
   * @returns {Promise<Message>}
   */
  send({ to, conversation_id, client_msg_id = newMessageId(), ...content }) {
    const body = { ...(to === undefined ? { conversation_id } : { to }), ...content, client_msg_id };
    return this.#http.request("POST", "/v1/messages", { body });
  }
}
