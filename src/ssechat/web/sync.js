/** Loads conversations and their members over REST, and joins them with the stream's events without a hole. */

import { requestError } from "./http.js";
import { Roster } from "./membership.js";

const PAGE = 100;
const MEMBERS_PAGE = 200;

/** Loads what is not messages. */
export class Sync {
  #client;
  #store;
  #attempts;
  #keep;
  #loading = false;
  #again = false;
  #moreLoading = false;
  /** @type {Map<string, {again: boolean}>} the loads of one conversation, by its id */
  #refreshing = new Map();
  /** @type {Set<string>} groups whose members are being loaded */
  #rosters = new Set();

  /**
   * @param {object} client
   * @param {Pick<import("./client.js").ChatClient["conversations"], "list"|"get">} client.conversations
   * @param {Pick<import("./client.js").ChatClient["groups"], "members">} client.groups
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   * @param {(conversation: import("./store.js").Conversation) => boolean} keep whether one that is not listed stays
   */
  constructor(client, store, attempts, keep) {
    this.#client = client;
    this.#store = store;
    this.#attempts = attempts;
    this.#keep = keep;
  }

  /** Loads the conversations, and again if called meanwhile: the response under way may be too old. */
  async load() {
    this.#again = true;
    if (this.#loading) return;
    this.#loading = true;
    try {
      while (this.#again && this.#attempts.open) {
        this.#again = false;
        await this.#loadOnce();
      }
    } finally {
      this.#loading = false;
    }
  }

  async #loadOnce() {
    const journal = this.#store.journal();
    try {
      const page = await this.#attempts.persist(() => this.#client.conversations.list({ limit: PAGE }));
      if (!page) return;
      const kept = this.#store.replaceConversations(page.conversations, page.next, journal.events, this.#keep);
      for (const id of kept) this.refresh(id);
    } catch (thrown) {
      const { message, code } = requestError(thrown);
      this.#store.fail(message, code);
    } finally {
      journal.stop();
    }
  }

  /** Loads the next page of conversations. */
  async moreConversations() {
    if (!this.#store.next || this.#moreLoading) return;
    this.#moreLoading = true;
    const before = this.#store.next;
    const journal = this.#store.journal();
    try {
      const page = await this.#attempts.persist(() => this.#client.conversations.list({ limit: PAGE, before }));
      // After a reload the paging starts again.
      if (page && this.#store.next === before) {
        this.#store.addConversations(page.conversations, page.next, journal.events);
      }
    } catch (thrown) {
      const { message, code } = requestError(thrown);
      this.#store.fail(message, code);
    } finally {
      journal.stop();
      this.#moreLoading = false;
    }
  }

  /** Loads one conversation, and again if called meanwhile. @param {string} id */
  async refresh(id) {
    const running = this.#refreshing.get(id);
    if (running) {
      running.again = true;
      return;
    }
    const run = { again: true };
    this.#refreshing.set(id, run);
    while (run.again && this.#attempts.open) {
      run.again = false;
      try {
        await this.put(() => this.#attempts.persist(() => this.#client.conversations.get(id)));
      } catch (thrown) {
        const { message, code } = requestError(thrown);
        this.#store.refuse(id, message, code);
      }
    }
    this.#refreshing.delete(id);
  }

  /**
   * Makes a request that answers with a conversation, and takes its state over, with the events on top that arrive
   * meanwhile.
   *
   * @template {import("./store.js").Listed|null} Answer
   * @param {() => Promise<Answer>} request
   */
  async put(request) {
    const journal = this.#store.journal();
    try {
      const answer = await request();
      if (answer) this.#store.replaceConversation(answer, journal.events);
      return answer;
    } finally {
      journal.stop();
    }
  }

  /** Loads all members of a group, unless they are loaded. @param {string} id */
  async roster(id) {
    const { roster } = this.#store.ensure(id);
    if ((roster && !roster.stale) || this.#rosters.has(id)) return;
    this.#rosters.add(id);
    const journal = this.#store.journal();
    try {
      const members = [];
      for (let page = await this.#members(id, null); page; page = await this.#members(id, page.next)) {
        members.push(...page.members);
        if (page.next !== null) continue;
        this.#store.replaceRoster(id, new Roster(members), journal.events);
        return;
      }
    } catch {
      // refused: the user is not a member any more, and an event says so
    } finally {
      journal.stop();
      this.#rosters.delete(id);
    }
  }

  /** @param {string} id @param {string|null} after */
  #members(id, after) {
    return this.#attempts.persist(() => this.#client.groups.members(id, { limit: MEMBERS_PAGE, after }));
  }
}
