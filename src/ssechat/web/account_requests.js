/** The requests about one's own account: signing in, the profile, the password, the sessions. */

import { requestError } from "./http.js";
import { canonicalName } from "./ids.js";
import { SIGNED_IN, storage } from "./storage.js";

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

  /**
   * Creates an account, whose session the cookie is then, or on another origin the token of the requests that follow.
   *
   * @param {string} name
   * @param {string} password
   * @returns {Promise<{token: string, user: string}>}
   */
  signUp(name, password) {
    return this.#begin("/v1/users", name, password);
  }

  /** Begins a session, as signUp does. @param {string} name @param {string} password */
  signIn(name, password) {
    return this.#begin("/v1/session", name, password);
  }

  /**
   * The cookie is another one before this page has the answer: from now on no tab may send in the name of somebody else
   * who was signed in before.
   *
   * @param {string} path
   * @param {string} name
   * @param {string} password
   * @returns {Promise<{token: string, user: string}>}
   */
  async #begin(path, name, password) {
    const byToken = this.#isCrossOrigin;
    const before = byToken ? null : storage.get(SIGNED_IN);
    const other = before !== null && before !== canonicalName(name);
    if (other) storage.remove(SIGNED_IN);
    try {
      const answer = await this.#http.request("POST", path, { body: { name, password } });
      if (byToken) this.#http.token = answer.token;
      return answer;
    } catch (error) {
      const refused = requestError(error).status !== 0; // else the cookie may be another one
      if (other && refused && storage.get(SIGNED_IN) === null) storage.set(SIGNED_IN, before);
      throw error;
    }
  }

  /** Whether requests go to another origin than the page's: there the cookie does not count. Programs have none. */
  get #isCrossOrigin() {
    const { location } = globalThis;
    return !location || new URL(this.#http.base, location.href).origin !== location.origin;
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
