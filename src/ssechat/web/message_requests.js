/** The requests about messages. */

import { BaseMessageRequests } from "./base_message_requests.js";
import { conversationPath } from "./paths.js";

/** @typedef {import("./client.js").Message} Message */

/** Every method throws a RequestError, as ChatClient says. */
export class MessageRequests extends BaseMessageRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    super(http);
    this.#http = http;
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
    return this.#http.request("PATCH", messagePath(conversationId, seq), { body: change, ...matching(ifMatch) });
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
    return this.#http.request("DELETE", messagePath(conversationId, seq), matching(ifMatch));
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

/** What a request has that is for a message as it was. @param {string|undefined} tag its entity tag */
function matching(tag) {
  return tag === undefined ? {} : { headers: { "If-Match": tag } };
}
