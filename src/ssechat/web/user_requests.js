/** The requests about other people. */

/** @typedef {{id: string, display_name?: string, avatar_url?: string}} User */

/** Every method throws a RequestError, as ChatClient says. */
export class UserRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    this.#http = http;
  }

  /** @param {string} id @returns {Promise<User>} @throws {RequestError} 404 if the user does not exist */
  get(id) {
    return this.#http.request("GET", `/v1/users/${encodeURIComponent(id)}`);
  }

  /** What these users are called, 100 at most; who does not exist is left out. @param {string[]} ids */
  async list(ids) {
    /** @type {{users: User[]}} */
    const answer = await this.#http.request("GET", "/v1/users", { query: { ids: ids.join(",") } });
    return answer.users;
  }

  /**
   * Up to ten users whose names begin with three letters or more, where the server has a directory.
   *
   * @param {string} prefix
   * @returns {Promise<User[]>}
   */
  async find(prefix) {
    return (await this.#http.request("GET", "/v1/users", { query: { prefix } })).users;
  }
}
