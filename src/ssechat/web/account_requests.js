/** The requests about one's own account: the profile, the password, the sessions. */

/**
 * One's own profile. `version` grows with each change.
 *
 * @typedef {{user: string, display_name?: string, avatar_url?: string, receipts: boolean, visible: boolean,
 *   version: number}} Profile
 */

/**
 * @typedef {object} Session
 * @property {string} id
 * @property {string} created_at RFC 3339, UTC, as what follows
 * @property {string} last_seen_at to the hour
 * @property {string} expires_at
 * @property {string} user_agent
 * @property {true} [current] whether it is the one of this page
 */

/** Every method throws a RequestError, as ChatClient says. */
export class AccountRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    this.#http = http;
  }

  /** One's own profile, and what is unread in all. @returns {Promise<Profile & {unread: number, mentions: number}>} */
  me() {
    return this.#http.request("GET", "/v1/me");
  }

  /**
   * Changes one's profile; what is left out stays, and null takes a field away.
   *
   * @param {{display_name?: string|null, avatar_url?: string|null, receipts?: boolean|null}} change
   * @returns {Promise<Profile>}
   */
  change(change) {
    return this.#http.request("PATCH", "/v1/me", { body: change });
  }

  /** Changes the password, and ends the other sessions. @param {string} old @param {string} wanted */
  changePassword(old, wanted) {
    return this.#http.request("PUT", "/v1/me/password", { body: { old, new: wanted } });
  }

  /** Where one is signed in, the newest session first. @returns {Promise<Session[]>} */
  async sessions() {
    return (await this.#http.request("GET", "/v1/me/sessions")).sessions;
  }

  /** Ends a session of one's own. @param {string} id @returns {Promise<null>} */
  endSession(id) {
    return this.#http.request("DELETE", `/v1/me/sessions/${encodeURIComponent(id)}`);
  }
}
