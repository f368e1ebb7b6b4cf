/** The requests about groups, their members, and the ways into them. */

import { newMessageId } from "./ids.js";
import { conversationPath } from "./paths.js";

/** @typedef {import("./client.js").Group} Group */
/** @typedef {import("./client.js").Role} Role */
/** @typedef {import("./client.js").Invite} Invite */

/** Every method throws a RequestError, as ChatClient says. */
export class GroupRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * Makes a group, whose owner is the user. With `history: "from_join"` who joins later reads only what is written from
   * then on. A retry with the same `client_msg_id` is idempotent.
   *
   * @param {{name: string, members?: string[], topic?: string|undefined, history?: "all"|"from_join",
   *   client_msg_id?: string}} group
   * @returns {Promise<Group>}
   */
  create({ members = [], client_msg_id = newMessageId(), ...group }) {
    const body = { ...group, members, client_msg_id };
    return this.#http.request("POST", "/v1/conversations", { body });
  }

  /** Renames a group, or sets its topic. @param {string} id @param {{name?: string, topic?: string}} change */
  change(id, change) {
    return this.#http.request("PATCH", conversationPath(id), { body: change });
  }

  /** Ends a group for all its members. @param {string} id @returns {Promise<null>} */
  end(id) {
    return this.#http.request("DELETE", conversationPath(id));
  }

  /**
   * A page of a group's members, by name.
   *
   * @param {string} id
   * @param {{limit?: number, after?: string|null}} options
   * @returns {Promise<{members: {user: string, role: Role}[], next: string|null}>}
   */
  members(id, { limit, after } = {}) {
    return this.#http.request("GET", conversationPath(id, "members"), { query: { limit, after } });
  }

  /**
   * Adds users to a group.
   *
   * @param {string} id
   * @param {string[]} users
   * @returns {Promise<{added: string[], member_count: number}>}
   */
  add(id, users) {
    return this.#http.request("POST", conversationPath(id, "members"), { body: { users } });
  }

  /** Sets a member's role. @param {string} id @param {string} user @param {Role} role */
  setRole(id, user, role) {
    return this.#http.request("PUT", conversationPath(id, "members", user), { body: { role } });
  }

  /** Removes a member; with one's own name: leaves. @param {string} id @param {string} user @returns {Promise<null>} */
  remove(id, user) {
    return this.#http.request("DELETE", conversationPath(id, "members", user));
  }

  /**
   * Makes an invitation. Its `secret` is told this once.
   *
   * @param {string} id of a group
   * @param {{expires_in?: number, max_uses?: number|undefined}} options seconds; no `max_uses`: any number of times
   * @returns {Promise<Invite & {secret: string}>}
   */
  createInvite(id, { expires_in, max_uses } = {}) {
    return this.#http.request("POST", conversationPath(id, "invites"), { body: { expires_in, max_uses } });
  }

  /** A group's invitations. @param {string} id @returns {Promise<{invites: Invite[]}>} */
  invites(id) {
    return this.#http.request("GET", conversationPath(id, "invites"));
  }

  /** Ends an invitation. @param {string} id of a group @param {string} invite its id @returns {Promise<null>} */
  revokeInvite(id, invite) {
    return this.#http.request("DELETE", conversationPath(id, "invites", invite));
  }

  /** Joins the group of an invitation. @param {string} secret @returns {Promise<Group>} */
  join(secret) {
    return this.#http.request("POST", "/v1/invites/join", { body: { secret } });
  }
}
