/** Loads the messages of conversations over REST, and joins them with the stream's events without a hole. */

import { requestError } from "./http.js";
import { Thread } from "./thread.js";

const PAGE = 50;
const LARGE_PAGE = 200;
const UNREAD_PAGES = 8;
const RELOAD_MESSAGES = 2000;

/** @typedef {import("./client.js").Message} Message */

export class Threads {
  #client;
  #store;
  #attempts;
  /** @type {Set<Thread>} */
  #filling = new Set();
  /** @type {Map<string, object>} the latest reload of the thread, by conversation */
  #reloading = new Map();

  /**
   * @param {{messages: Pick<import("./client.js").ChatClient["messages"], "list"|"get">}} client
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   */
  constructor(client, store, attempts) {
    this.#client = client;
    this.#store = store;
    this.#attempts = attempts;
  }

  /**
   * Loads the newest messages of a conversation, unless they are loaded; also all unread messages, if they are few.
   *
   * @param {string} id
   * @param {number} unread
   */
  async open(id, unread = 0) {
    const { thread } = this.#store.ensure(id);
    if (thread.loaded || thread.state === "loading") return;
    thread.state = "loading";
    this.#store.touch(id);
    await this.#into(id, thread, async () => {
      const limit = Math.min(LARGE_PAGE, Math.max(PAGE, unread + PAGE / 2));
      let page = await this.#page(id, { limit });
      let messages = page?.messages ?? [];
      // A page of large messages has fewer than the limit; only `has_more` says whether there are more.
      for (let i = 1; page?.has_more && page.messages.length && messages.length < unread && i < UNREAD_PAGES; i++) {
        page = await this.#page(id, { before: messages[0]?.seq ?? null, limit });
        messages = [...(page?.messages ?? []), ...messages];
      }
      if (page) thread.applyNewest(messages, page.has_more);
    });
    await this.fill(id);
  }

  /** Loads the messages before those that are loaded. @param {string} id */
  async older(id) {
    const { thread } = this.#store.ensure(id);
    if (!thread.hasOlder || thread.loadingOlder) return;
    thread.loadingOlder = true;
    this.#store.touch(id);
    await this.#into(id, thread, async () => {
      const page = await this.#page(id, { before: thread.low, limit: PAGE });
      if (page) thread.applyOlder(page.messages, page.has_more);
    });
    thread.loadingOlder = false;
    this.#store.touch(id);
  }

  /** Loads the messages after those that are loaded, in a thread that does not reach the newest. @param {string} id */
  async newer(id) {
    const { thread } = this.#store.ensure(id);
    if (!thread.hasNewer || thread.loadingNewer) return;
    thread.loadingNewer = true;
    await this.#into(id, thread, async () => {
      const page = await this.#page(id, { after: thread.high, limit: PAGE });
      if (page) thread.applyNewer(page.messages, page.has_more && page.messages.length > 0);
    });
    thread.loadingNewer = false;
    await this.fill(id);
  }

  /** Fills a hole before messages that arrived live. @param {string} id */
  async fill(id) {
    const { thread } = this.#store.ensure(id);
    if (this.#filling.has(thread)) return;
    this.#filling.add(thread);
    try {
      while (this.#attempts.open && thread.hasHole) {
        const page = await this.#page(id, { after: thread.high, limit: LARGE_PAGE });
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
    return this.#replace(id, async (fresh) => {
      let page = await this.#page(id, { limit: LARGE_PAGE });
      if (page) fresh.applyNewest(page.messages, page.has_more);
      const behind = () => !old.hasNewer && fresh.low !== null && old.low !== null && fresh.low > old.low;
      const enough = () => fresh.high - (fresh.low ?? 0) >= RELOAD_MESSAGES;
      while (page && fresh.hasOlder && behind() && !enough()) {
        page = await this.#page(id, { before: fresh.low, limit: LARGE_PAGE });
        if (page) fresh.applyOlder(page.messages, page.has_more);
      }
      return page !== null;
    });
  }

  /** Replaces a thread by the messages around one of them. @param {string} id @param {number} seq */
  around(id, seq) {
    return this.#replace(id, async (fresh) => {
      const page = await this.#page(id, { around: seq, limit: PAGE });
      if (page) fresh.applyAround(page.messages, page.has_more_before ?? false, page.has_more_after ?? false);
      return page !== null;
    });
  }

  /** Loads a message that another one answers; null if it cannot be read. @param {string} id @param {number} seq */
  async quote(id, seq) {
    const { thread } = this.#store.ensure(id);
    if (!thread.asksFor(seq)) return;
    try {
      const answer = await this.#attempts.persist(() => this.#client.messages.get(id, seq));
      if (answer) thread.applyQuote(seq, answer.message);
    } catch {
      thread.applyQuote(seq, null);
    }
    this.#store.touch(id);
  }

  /**
   * Replaces a thread by one that `load` fills; a later call takes precedence.
   *
   * @param {string} id
   * @param {(fresh: Thread) => Promise<boolean>} load says whether it is complete
   */
  async #replace(id, load) {
    const mark = {};
    this.#reloading.set(id, mark);
    const fresh = new Thread();
    const journal = this.#store.journal();
    try {
      const complete = await load(fresh);
      if (complete && this.#reloading.get(id) === mark) this.#store.replaceThread(id, fresh, journal.events);
    } catch {
      // refused: the messages shown stay
    } finally {
      journal.stop();
      if (this.#reloading.get(id) === mark) this.#reloading.delete(id);
    }
    await this.fill(id);
  }

  /**
   * @param {string} id
   * @param {Parameters<import("./message_requests.js").MessageRequests["list"]>[1]} query
   */
  #page(id, query) {
    return this.#attempts.persist(() => this.#client.messages.list(id, query));
  }

  /**
   * Runs a load and writes its outcome into the thread. A conversation that does not exist yet is empty.
   *
   * @param {string} id
   * @param {Thread} thread
   * @param {() => Promise<void>} load
   */
  async #into(id, thread, load) {
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
