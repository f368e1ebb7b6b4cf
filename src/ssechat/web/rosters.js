/** Loads the members of groups over REST, and joins them with the stream's events without a hole. */

import { Roster } from "./membership.js";

const PAGE = 200;

export class Rosters {
  #client;
  #store;
  #attempts;
  /** @type {Set<string>} groups whose members are being loaded */
  #loading = new Set();

  /**
   * @param {{groups: Pick<import("./client.js").ChatClient["groups"], "members">}} client
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   */
  constructor(client, store, attempts) {
    this.#client = client;
    this.#store = store;
    this.#attempts = attempts;
  }

  /** Loads all members of a group, unless they are loaded. @param {string} id */
  async load(id) {
    const { roster } = this.#store.ensure(id);
    if ((roster && !roster.stale) || this.#loading.has(id)) return;
    this.#loading.add(id);
    const journal = this.#store.journal();
    try {
      const members = [];
      for (let page = await this.#members(id, null); page; page = await this.#members(id, page.next)) {
        members.push(...page.members);
        if (page.next !== null) continue;
        this.#store.ensure(id).roster = new Roster(members);
        this.#store.replay(id, journal.events);
        this.#store.emit("change", id);
        return;
      }
    } catch {
      // refused: the user is not a member any more, and an event says so
    } finally {
      journal.stop();
      this.#loading.delete(id);
    }
  }

  /** @param {string} id @param {string|null} after */
  #members(id, after) {
    return this.#attempts.persist(() => this.#client.groups.members(id, { limit: PAGE, after }));
  }
}
