/** Loads the messages of conversations over REST, and joins them with the stream's events without a hole. */

import { requestError } from "./http.js";
import { Thread } from "./thread.js";

/** Messages that are loaded at a time, and where many are needed. */
export const PAGE = 50;
export const LARGE_PAGE = 200;
const RELOAD_MESSAGES = 2000;

/** @typedef {import("./client.js").Message} Message */

export class Threads {
  #client;
  #store;
  #attempts;
  /** @type {Set<Thread>} */
  #filling = new Set();
  /** @type {Map<string, Thread>} what the latest reload of a thread fills, by conversation */
  #reloading = new Map();

  /**
   * @param {{messages: Pick<import("./client.js").ChatClient["messages"], "list">}} client
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   */
  constructor(client, store, attempts) {
    this.#client = client;
    this.#store = store;
    this.#attempts = attempts;
  }

  /**
   * Loads the newest messages of a conversation, unless they are loaded.
   *
   * @param {string} id
   * @param {number} unread
   */
  async open(id, unread = 0) {
    const { thread } = this.#store.ensure(id);
    if (thread.loaded || thread.state === "loading") return;
    thread.state = "loading";
    this.#store.touch(id);
    await this.into(id, thread, async () => {
      const page = await this.first(id, unread);
      if (page) thread.applyNewest(page.messages, page.has_more);
    });
    await this.fill(id);
  }

  /**
   * The newest messages, with those that are unread if one page has them.
   *
   * @param {string} id
   * @param {number} unread
   */
  first(id, unread) {
    return this.page(id, { limit: Math.min(LARGE_PAGE, Math.max(PAGE, unread + PAGE / 2)) });
  }

  /** Loads the messages before those that are loaded. @param {string} id */
  async older(id) {
    const { thread } = this.#store.ensure(id);
    if (!thread.hasOlder || thread.loadingOlder) return;
    thread.loadingOlder = true;
    this.#store.touch(id);
    await this.into(id, thread, async () => {
      const page = await this.page(id, { before: thread.low, limit: PAGE });
      if (page) thread.applyOlder(page.messages, page.has_more);
    });
    thread.loadingOlder = false;
    this.#store.touch(id);
  }

  /** Fills a hole before messages that arrived live. @param {string} id */
  async fill(id) {
    const { thread } = this.#store.ensure(id);
    if (this.#filling.has(thread)) return;
    this.#filling.add(thread);
    try {
      while (this.#attempts.open && thread.hasHole) {
        const page = await this.page(id, { after: thread.high, limit: LARGE_PAGE });
        if (!page) break;
        thread.applyNewer(page.messages, page.has_more && page.messages.length > 0);
        this.#store.touch(id);
      }
    } catch {
      // refused: the user cannot read the conversation any more; the messages shown stay
    } finally {
      this.#filling.delete(thread);
    }
  }

  /** Loads a thread anew, as far back as it was, and replaces the old one when it is complete. @param {string} id */
  reload(id) {
    const old = this.#store.ensure(id).thread;
    return this.replace(id, async (fresh) => {
      let page = await this.page(id, { limit: LARGE_PAGE });
      if (page) fresh.applyNewest(page.messages, page.has_more);
      const behind = () => !old.hasNewer && fresh.low !== null && old.low !== null && fresh.low > old.low;
      const enough = () => fresh.high - (fresh.low ?? 0) >= RELOAD_MESSAGES;
      while (page && fresh.hasOlder && behind() && !enough()) {
        page = await this.page(id, { before: fresh.low, limit: LARGE_PAGE });
        if (page) fresh.applyOlder(page.messages, page.has_more);
      }
      return page !== null;
    });
  }

  /**
   * Replaces a thread by one that `load` fills; a later call takes precedence.
   *
   * @param {string} id
   * @param {(fresh: Thread) => Promise<boolean>} load says whether it is complete
   * @returns {Promise<boolean>} whether no later call has taken precedence
   */
  async replace(id, load) {
    const fresh = new Thread();
    this.#reloading.set(id, fresh);
    const journal = this.#store.journal();
    const isLatest = () => this.#reloading.get(id) === fresh;
    try {
      if ((await load(fresh)) && isLatest()) this.#store.replaceThread(id, fresh, journal.events);
    } catch {
      // refused: the messages shown stay
    }
    journal.stop();
    const latest = isLatest();
    if (latest) this.#reloading.delete(id);
    await this.fill(id);
    return latest;
  }

  /**
   * @param {string} id
   * @param {Parameters<import("./message_requests.js").MessageRequests["list"]>[1]} query
   */
  page(id, query) {
    return this.#attempts.persist(() => this.#client.messages.list(id, query));
  }

  /**
   * Runs a load and writes its outcome into the thread. A conversation that does not exist yet is empty.
   *
   * @param {string} id
   * @param {Thread} thread
   * @param {() => Promise<void>} load
   */
  async into(id, thread, load) {
    try {
      await load();
      if (!thread.loaded) thread.state = "empty"; // the conversation was closed before the page arrived
    } catch (thrown) {
      const error = requestError(thrown);
      if (error.code === "unknown_conversation" && id.startsWith("dm:")) {
        if (!thread.loaded) thread.applyNewest([], false);
      } else if (!thread.loaded) {
        thread.state = "failed";
        thread.error = error.message;
        thread.refusal = error.code;
      }
    }
    this.#store.touch(id);
  }
}
