/** The requests about conversations of all types. */

import { BaseConversationRequests } from "./base_conversation_requests.js";
import { conversationPath } from "./paths.js";

/** Every method throws a RequestError, as ChatClient says. */
export class ConversationRequests extends BaseConversationRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    super(http);
    this.#http = http;
  }

  /** Tells the others in a conversation that the user is writing. @param {string} id @returns {Promise<object>} */
  sayTyping(id) {
    return this.#http.request("POST", conversationPath(id, "typing"), { body: {} });
  }

  /**
   * Mutes a conversation, or unmutes it.
   *
   * @param {string} id
   * @param {boolean} muted
   * @returns {Promise<import("./marks.js").Mark & {unread: number, mentions: number[]}>}
   */
  mute(id, muted) {
    return this.#http.request("PUT", conversationPath(id, "mute"), { body: { muted } });
  }
}
