/** Finds people by the first letters of their names, where the server has a directory. */

/** @typedef {import("./user_requests.js").User} User */

/** Milliseconds without a key before it is asked. */
const PAUSE = 250;

/** Letters that a search needs. */
export const SHORTEST = 3;

export class Directory {
  #client;
  #turn = 0;

  /** @param {import("./client.js").ChatClient} client @param {boolean} on whether the server has one */
  constructor(client, on) {
    this.#client = client;
    this.on = on;
  }

  /**
   * The users whose names begin with what is typed, once the typing has paused.
   *
   * @param {string} typed a name in its canonical form
   * @returns {Promise<User[]|null>} null if something else was typed meanwhile; none if they cannot be found just now
   */
  async find(typed) {
    const turn = ++this.#turn;
    if (!this.on || typed.length < SHORTEST) return [];
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (turn !== this.#turn) return null;
    const found = await this.#client.users.find(typed).catch(() => []);
    return turn === this.#turn ? found : null;
  }
}
