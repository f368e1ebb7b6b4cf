/**
 * Threads as people read them: from the first unread message, even if there are many; and around an old one, from which
 * one can read on in both directions.
 */

import { LARGE_PAGE, PAGE, Threads } from "./threads.js";

/** Pages of unread messages that are loaded, at most. */
const UNREAD_PAGES = 8;

export class WideThreads extends Threads {
  #store;
  /** @type {Map<string, object>} what was wanted last, by conversation */
  #wishes = new Map();

  /**
   * @param {ConstructorParameters<typeof Threads>[0]} client
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   */
  constructor(client, store, attempts) {
    super(client, store, attempts);
    this.#store = store;
  }

  /**
   * The newest messages, and all that are unread, if they are few.
   *
   * @override
   * @param {string} id
   * @param {number} unread
   */
  async first(id, unread) {
    const newest = await super.first(id, unread);
    let messages = newest?.messages ?? [];
    let page = newest;
    // A page of large messages has fewer than the limit; only `has_more` says whether there are more.
    for (let i = 1; page?.has_more && page.messages.length && messages.length < unread && i < UNREAD_PAGES; i++) {
      page = await this.page(id, { before: messages[0]?.seq ?? null, limit: LARGE_PAGE });
      messages = [...(page?.messages ?? []), ...messages];
    }
    return page && { ...page, messages };
  }

  /** Loads the messages after those that are loaded, in a thread that does not reach the newest. @param {string} id */
  async newer(id) {
    const { thread } = this.#store.ensure(id);
    if (!thread.hasNewer || thread.loadingNewer) return;
    thread.loadingNewer = true;
    await this.into(id, thread, async () => {
      const page = await this.page(id, { after: thread.high, limit: PAGE });
      if (page) thread.applyNewer(page.messages, page.has_more && page.messages.length > 0);
    });
    thread.loadingNewer = false;
    await this.fill(id);
  }

  /**
   * Replaces a thread by the messages around one of them. A reload that comes in between does not undo that.
   *
   * @param {string} id
   * @param {number} seq
   */
  async around(id, seq) {
    const wish = {};
    this.#wishes.set(id, wish);
    while (!(await this.#load(id, seq)) && this.#wishes.get(id) === wish);
    if (this.#wishes.get(id) === wish) this.#wishes.delete(id);
  }

  /** @param {string} id @param {number} seq */
  #load(id, seq) {
    return this.replace(id, async (fresh) => {
      const page = await this.page(id, { around: seq, limit: PAGE });
      if (!page) return false;
      fresh.hasNewer = page.has_more_after ?? false;
      fresh.applyNewest(page.messages, page.has_more_before ?? false);
      return true;
    });
  }
}
