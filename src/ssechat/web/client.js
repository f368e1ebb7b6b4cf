/** The server's interface with all its requests, for what makes most of them. */

import { BaseClient } from "./base_client.js";
import { REQUESTS } from "./more_requests.js";

/** @typedef {{name: string, version: string, sign_up: boolean, sign_in: boolean} & Ways} Facts */

/**
 * What a server may have: a directory of its users, pictures of them on its page, a feed that is the page's banner.
 *
 * @typedef {{directory?: boolean, avatars?: boolean, banner?: string}} Ways
 */

/**
 * @typedef {object} Message
 * @property {string} conversation_id
 * @property {number} seq order within the conversation
 * @property {number} version of two messages with the same seq, the one with the higher version is newer
 * @property {string} sender
 * @property {string} text absent if the message was deleted or has expired
 * @property {boolean} [deleted]
 * @property {string} client_msg_id
 * @property {string} created_at RFC 3339, UTC
 * @property {string} [edited_at] RFC 3339, UTC
 * @property {number} [reply_to] the seq of the message that it answers
 * @property {string[]} [mentions] members
 * @property {Record<string, unknown>} [data] the application's own
 * @property {Reaction[]} [reactions]
 */

/** @typedef {{emoji: string, count: number, users: string[]}} Reaction `users` are three of those who reacted so */

/** @typedef {"owner"|"admin"|"member"} Role */

/**
 * @typedef {object} Group
 * @property {string} id
 * @property {"group"} type
 * @property {string} name
 * @property {string} [topic]
 * @property {"all"|"from_join"} history what those read who join later
 * @property {Role} role the user's own
 * @property {number} member_count
 * @property {string[]} members the first 20, by name
 * @property {number} newest_seq
 * @property {Message|null} last_message
 * @property {boolean} [ended]
 */

/**
 * @typedef {object} Invite
 * @property {string} id
 * @property {string} expires_at RFC 3339, UTC
 * @property {number} [max_uses] without it, any number of people may join
 * @property {number} uses
 * @property {string} by
 */

/** A BaseClient whose requests are all loaded from the beginning. */
export class ChatClient extends BaseClient {
  /**
   * @override
   * @template {keyof typeof REQUESTS} Name
   * @param {Name} name
   * @returns {InstanceType<typeof REQUESTS[Name]>}
   */
  requests(name) {
    return /** @type {any} */ (new REQUESTS[name](this.http));
  }
}
