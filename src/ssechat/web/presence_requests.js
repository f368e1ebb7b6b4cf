/** The requests about who is there. */

/** @typedef {{user: string, online: boolean, last_seen?: string}} Person */
/** @typedef {{users: Person[], visible: boolean}} Now */

/** Every method throws a RequestError, as ChatClient says. */
export class PresenceRequests {
  #http;

  /** @param {import("./http.js").Http} http */
  constructor(http) {
    this.#http = http;
  }

  /**
   * Says whom a tab watches, instead of those before; the stream tells of changes.
   *
   * @param {{watch: string[], device: string, in?: string}} list
   * @returns {Promise<Now>}
   */
  watch(list) {
    return this.#http.request("PUT", "/v1/presence", { body: list });
  }

  /** Lets others see whether the user is there, or not. @param {boolean} visible @returns {Promise<Now>} */
  setVisible(visible) {
    return this.#http.request("PUT", "/v1/presence", { body: { visible } });
  }
}
