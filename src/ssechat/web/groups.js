/** What the user does in groups, and what others do there while the page is open. */

import { isIn } from "./membership.js";

/** @typedef {import("./client.js").Role} Role */

/** Milliseconds in which the messages arrive that were on their way when the user joined. */
const ON_THEIR_WAY = 2_000;

/**
 * Names, topics, members and roles change by the stream's events only, so that what is shown is in their order; the
 * answer to a request is taken over only where it is more than an event says.
 */
export class Groups {
  #client;
  #store;
  #sync;
  #reads;
  #refreshThread;
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();

  /**
   * @param {object} parts
   * @param {import("./client.js").ChatClient} parts.client
   * @param {import("./store.js").Store} parts.store
   * @param {import("./sync.js").Sync} parts.sync
   * @param {import("./reads.js").ReadMarks} parts.reads
   * @param {(id: string) => void} parts.refreshThread loads the messages of a conversation anew
   */
  constructor({ client, store, sync, reads, refreshThread }) {
    this.#client = client;
    this.#store = store;
    this.#sync = sync;
    this.#reads = reads;
    this.#refreshThread = refreshThread;
  }

  close() {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Makes a group. @param {Parameters<import("./client.js").ChatClient["createGroup"]>[0]} group @returns its id */
  async create(group) {
    return (await this.#sync.put(() => this.#client.createGroup(group))).id;
  }

  /** Joins the group of an invitation. @param {string} secret @returns its id */
  async join(secret) {
    const { id } = await this.#sync.put(() => this.#client.join(secret));
    return id;
  }

  /** Renames a group, or sets its topic. @param {string} id @param {{name?: string, topic?: string}} change */
  async change(id, change) {
    await this.#sync.put(() => this.#client.changeGroup(id, change));
  }

  /** Leaves a group. @param {string} id */
  leave(id) {
    return this.#client.removeMember(id, this.#store.user);
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
  async #joined(id) {
    this.#reads.joined(id);
    this.#refreshThread(id);
    await this.#sync.refresh(id);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#reads.arrived(id, this.#store.ensure(id).newest_seq + 1);
    }, ON_THEIR_WAY);
    this.#timers.add(timer);
  }
}
