/** The part of the server's HTTP interface that is about people: who one is, sessions, profiles. */

import { Emitter } from "./emitter.js";
import { Http } from "./http.js";

/** @typedef {{name: string, version: string, sign_up: boolean, sign_in: boolean} & Ways} Facts */

/**
 * What a server may have: a directory of its users, pictures of them on its page.
 *
 * @typedef {{directory?: boolean, avatars?: boolean}} Ways
 */

/** @typedef {{id: string, display_name?: string, avatar_url?: string}} User */

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

/**
 * Methods as those of `Rest`, which adds those about conversations.
 *
 * @extends {Emitter<Record<string, any>>}
 */
export class AccountRest extends Emitter {
  /**
   * @param {object} options
   * @param {string} [options.base] the server's URL, empty for the page's own
   * @param {string|import("./http.js").TokenSource|null} [options.token] a bearer token, or what gives one; without it,
   *   the session cookie is used
   */
  constructor({ base = "", token = null } = {}) {
    super();
    this.http = new Http({ base, token });
    /** @type {string|null} the signed-in user's id, once it is known */
    this.user = null;
  }

  get token() {
    return this.http.token;
  }

  /** Whether requests have a bearer token, and no cookie. */
  get withToken() {
    return this.http.withToken;
  }

  /** The server's URL, empty for the page's own. */
  get base() {
    return this.http.base;
  }

  /** @returns {Promise<Facts>} facts about the server */
  server() {
    return this.http.request("GET", "/v1/server");
  }

  /**
   * Creates an account and signs in.
   *
   * @param {string} name
   * @param {string} password
   * @returns {Promise<{token: string, user: string}>}
   */
  async signUp(name, password) {
    return this.#entered(await this.http.request("POST", "/v1/users", { body: { name, password } }));
  }

  /** Signs in. @param {string} name @param {string} password @returns {Promise<{token: string, user: string}>} */
  async signIn(name, password) {
    return this.#entered(await this.http.request("POST", "/v1/session", { body: { name, password } }));
  }

  /** @param {{token: string, user: string}} answer */
  #entered(answer) {
    this.user = answer.user;
    if (this.http.crossOrigin) this.http.token = answer.token;
    return answer;
  }

  /** Returns the signed-in user. @returns {Promise<{user: string}>} @throws {RequestError} 401 if there is none */
  async session() {
    const answer = await this.http.request("GET", "/v1/session");
    this.user = answer.user;
    return answer;
  }

  /**
   * Signs out on the server, which ends the stream. `close()` must be called after the other tabs know: the next in the
   * lock's queue then takes the stream over.
   */
  async signOut() {
    await this.http.request("DELETE", "/v1/session");
    this.user = null;
    this.http.token = null;
  }

  /** @param {string} id @returns {Promise<User>} @throws {RequestError} 404 if the user does not exist */
  findUser(id) {
    return this.http.request("GET", `/v1/users/${encodeURIComponent(id)}`);
  }

  /** What these users are called, 100 at most; who does not exist is left out. @param {string[]} ids */
  async users(ids) {
    /** @type {{users: User[]}} */
    const answer = await this.http.request("GET", "/v1/users", { query: { ids: ids.join(",") } });
    return answer.users;
  }

  /**
   * Up to ten users whose names begin with three letters or more, where the server has a directory.
   *
   * @param {string} prefix
   * @returns {Promise<User[]>}
   */
  async findUsers(prefix) {
    return (await this.http.request("GET", "/v1/users", { query: { prefix } })).users;
  }

  /** One's own profile, and what is unread in all. @returns {Promise<Profile & {unread: number, mentions: number}>} */
  me() {
    return this.http.request("GET", "/v1/me");
  }

  /**
   * Changes one's profile; what is left out stays, and null takes a field away.
   *
   * @param {{display_name?: string|null, avatar_url?: string|null, receipts?: boolean|null}} change
   * @returns {Promise<Profile>}
   */
  changeMe(change) {
    return this.http.request("PATCH", "/v1/me", { body: change });
  }

  /** Changes the password, and ends the other sessions. @param {string} old @param {string} wanted */
  changePassword(old, wanted) {
    return this.http.request("PUT", "/v1/me/password", { body: { old, new: wanted } });
  }

  /** Where one is signed in, the newest session first. @returns {Promise<Session[]>} */
  async sessions() {
    return (await this.http.request("GET", "/v1/me/sessions")).sessions;
  }

  /** Ends a session of one's own. @param {string} id @returns {Promise<null>} */
  endSession(id) {
    return this.http.request("DELETE", `/v1/me/sessions/${encodeURIComponent(id)}`);
  }
}
