/** What the user does in groups, and what others do there while the page is open. */

import { isIn } from "./membership.js";

/** @typedef {import("./client.js").Role} Role */

/**
 * Names, topics, members and roles change by the stream's events only, so that what is shown is in their order; the
 * answer to a request is taken over only where it is more than an event says.
 */
export class Groups {
  #client;
  #store;
  #sync;
  #refreshThread;

  /**
   * @param {object} parts
   * @param {import("./client.js").ChatClient} parts.client
   * @param {import("./store.js").Store} parts.store
   * @param {import("./sync.js").Sync} parts.sync
   * @param {(id: string) => void} parts.refreshThread loads the messages of a conversation anew
   */
  constructor({ client, store, sync, refreshThread }) {
    this.#client = client;
    this.#store = store;
    this.#sync = sync;
    this.#refreshThread = refreshThread;
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
    return this.#sync.roster(id);
  }

  /** The members of a conversation whom one can mention, by name. @param {string} id @returns {string[]} */
  mentionable(id) {
    const { roster, members } = this.#store.ensure(id);
    return roster ? roster.members.map(({ user }) => user) : members;
  }

  /** Handles an event `member` of the stream. @param {import("./membership.js").MemberEvent} event */
  receiveMember(event) {
    const { conversation_id: id, users, left, more } = event;
    const before = this.#store.conversation(id);
    const own = users.some(({ user }) => user === this.#store.user);
    const joins = own && !left && !(before?.role && isIn(before));
    this.#store.apply("member", event);
    if (joins) this.#joined(id);
    else if (more || (!before && !(own && left))) this.#sync.refresh(id);
  }

  /** Handles an event `conversation` of the stream. @param {import("./membership.js").Facts} facts */
  receiveFacts(facts) {
    if (!this.#store.apply("conversation", facts)) this.#sync.refresh(facts.conversation_id);
  }

  /** The user has joined, or was added: what can be read there has changed. @param {string} id */
  #joined(id) {
    this.#store.ensure(id).read_up_to = null;
    this.#refreshThread(id);
    this.#sync.refresh(id);
  }
}
