/** The requests about whom the user blocks. */

/** Every method throws a RequestError, as ChatClient says. */
export class BlockRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    this.#http = http;
  }

  /** Blocks a user. @param {string} user @returns {Promise<{user: string}>} */
  add(user) {
    return this.#http.request("PUT", blockPath(user));
  }

  /** Takes a block back. @param {string} user @returns {Promise<null>} */
  remove(user) {
    return this.#http.request("DELETE", blockPath(user));
  }

  /**
   * A page of those whom the user blocks, by name.
   *
   * @param {{after?: string|null, limit?: number}} page
   * @returns {Promise<{blocks: {user: string}[], next: string|null}>}
   */
  list({ after, limit } = {}) {
    return this.#http.request("GET", "/v1/blocks", { query: { after, limit } });
  }
}

/** @param {string} user */
function blockPath(user) {
  return `/v1/blocks/${encodeURIComponent(user)}`;
}
