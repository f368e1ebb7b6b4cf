/** What the user does in groups. */

import { Rosters } from "./rosters.js";

/** @typedef {import("./client.js").Role} Role */

/**
 * Names, topics, members and roles change by the stream's events only, so that what is shown is in their order; the
 * answer to a request is taken over only where it is more than an event says.
 */
export class Groups {
  #client;
  #store;
  #sync;
  #rosters;

  /** @param {import("./base_chat.js").BaseChat} chat */
  constructor({ client, store, sync, attempts }) {
    this.#client = client;
    this.#store = store;
    this.#sync = sync;
    this.#rosters = new Rosters(client, store, attempts);
  }

  /**
   * Makes a group.
   *
   * @param {Parameters<import("./group_requests.js").GroupRequests["create"]>[0]} group
   * @returns its id
   */
  async create(group) {
    return (await this.#sync.put(() => this.#client.groups.create(group))).id;
  }

  /** Joins the group of an invitation. @param {string} secret @returns its id */
  async join(secret) {
    const { id } = await this.#sync.put(() => this.#client.groups.join(secret));
    return id;
  }

  /** Renames a group, or sets its topic. @param {string} id @param {{name?: string, topic?: string}} change */
  async change(id, change) {
    await this.#sync.put(() => this.#client.groups.change(id, change));
  }

  /** Leaves a group. @param {string} id */
  leave(id) {
    return this.#client.groups.remove(id, this.#store.user);
  }

  /** Loads all members of a group, unless they are loaded. @param {string} id */
  loadRoster(id) {
    return this.#rosters.load(id);
  }

  /** The members of a conversation whom one can mention, by name. @param {string} id @returns {string[]} */
  mentionable(id) {
    const { roster, members } = this.#store.ensure(id);
    return roster ? roster.members.map(({ user }) => user) : members;
  }
}
