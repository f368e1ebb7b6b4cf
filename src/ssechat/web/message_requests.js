/** The requests about messages. */

import { newMessageId } from "./ids.js";
import { conversationPath } from "./paths.js";

/** @typedef {import("./client.js").Message} Message */

/** Every method throws a RequestError, as ChatClient says. */
export class MessageRequests {
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

  /**
   * One message as it stands, with its entity tag, which `edit` and `remove` take.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @returns {Promise<{message: Message, etag: string|null}>}
   */
  async get(conversationId, seq) {
    const { body, headers } = await this.#http.exchange("GET", messagePath(conversationId, seq));
    return { message: body, etag: headers.get("ETag") };
  }

  /**
   * Changes a message of one's own; what is left out stays. `data: null` takes the data away.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {{text?: string, mentions?: string[], data?: object|null}} change
   * @param {{ifMatch?: string}} options the entity tag of what is changed: 412 if it has changed meanwhile
   * @returns {Promise<Message>} the message as it stands
   */
  edit(conversationId, seq, change, { ifMatch } = {}) {
    return this.#http.request("PATCH", messagePath(conversationId, seq), { body: change, ifMatch });
  }

  /**
   * Deletes a message: one's own, or in a group as its owner or admin.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {{ifMatch?: string}} options as for `edit`
   * @returns {Promise<Message>} its tombstone
   */
  remove(conversationId, seq, { ifMatch } = {}) {
    return this.#http.request("DELETE", messagePath(conversationId, seq), { ifMatch });
  }

  /**
   * Reacts to a message.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {string} emoji
   * @returns {Promise<Message>} the message as it stands
   */
  react(conversationId, seq, emoji) {
    return this.#http.request("PUT", messagePath(conversationId, seq, "reactions", emoji), { body: {} });
  }

  /**
   * Takes a reaction back.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {string} emoji
   * @returns {Promise<Message>} the message as it stands
   */
  unreact(conversationId, seq, emoji) {
    return this.#http.request("DELETE", messagePath(conversationId, seq, "reactions", emoji));
  }

  /**
   * A page of the reactions to a message, of all users or of one.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {{limit?: number, after?: string|null, user?: string}} options
   * @returns {Promise<{reactions: {emoji: string, user: string}[], next: string|null}>}
   */
  reactions(conversationId, seq, { limit, after, user } = {}) {
    return this.#http.request("GET", messagePath(conversationId, seq, "reactions"), { query: { limit, after, user } });
  }
}

/** @param {string} id @param {number} seq @param {...string} below */
function messagePath(id, seq, ...below) {
  return conversationPath(id, "messages", String(seq), ...below);
}
