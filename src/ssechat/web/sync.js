/** Loads state over REST, and joins it with the stream's events without a hole. */

import { Emitter } from "./emitter.js";
import { backOff, requestError } from "./http.js";
import { Thread } from "./thread.js";
import { Waits } from "./waits.js";

const PAGE = 50;
const LARGE_PAGE = 200;
const UNREAD_PAGES = 8;
const RELOAD_MESSAGES = 2000;

/** @typedef {import("./client.js").Message} Message */

/**
 * Event: `unauthorized`.
 *
 * @extends {Emitter<{unauthorized: null}>}
 */
export class Sync extends Emitter {
  #client;
  #store;
  #keep;
  #open = true;
  #loading = false;
  #again = false;
  /** @type {Set<Thread>} */
  #filling = new Set();
  /** @type {Map<string, object>} the latest reload of the thread, by conversation */
  #reloading = new Map();
  #waits = new Waits();
  #moreLoading = false;

  /**
   * @param {Pick<import("./client.js").ChatClient, "conversations"|"messages">} client
   * @param {import("./store.js").Store} store
   * @param {(conversation: import("./store.js").Conversation) => boolean} keep whether one that is not listed stays
   */
  constructor(client, store, keep) {
    super();
    this.#client = client;
    this.#store = store;
    this.#keep = keep;
  }

  close() {
    this.#open = false;
    this.wake();
  }

  /** Ends the waits for a next attempt, except those that the server asked for. */
  wake() {
    this.#waits.wake();
  }

  /** Loads the conversations, and again if called meanwhile: the response under way may be too old. */
  async load() {
    this.#again = true;
    if (this.#loading) return;
    this.#loading = true;
    try {
      while (this.#again && this.#open) {
        this.#again = false;
        const journal = this.#store.journal();
        try {
          const page = await this.#persist(() => this.#client.conversations({ limit: LARGE_PAGE / 2 }));
          if (page) this.#store.replaceConversations(page.conversations, page.next, journal.events, this.#keep);
        } catch (error) {
          this.#store.fail(requestError(error).message);
        } finally {
          journal.stop();
        }
      }
    } finally {
      this.#loading = false;
    }
  }

  /** Loads the next page of conversations. */
  async moreConversations() {
    if (!this.#store.next || this.#moreLoading) return;
    this.#moreLoading = true;
    const before = this.#store.next;
    try {
      const page = await this.#persist(() => this.#client.conversations({ limit: LARGE_PAGE / 2, before }));
      // After a reload the paging starts again.
      if (page && this.#store.next === before) this.#store.addConversations(page.conversations, page.next);
    } catch (error) {
      this.#store.fail(requestError(error).message);
    } finally {
      this.#moreLoading = false;
    }
  }

  /**
   * Loads the newest messages of a conversation, unless they are loaded; also all unread messages, if they are few.
   *
   * @param {string} id
   * @param {number} unread
   */
  async openThread(id, unread = 0) {
    const { thread } = this.#store.ensure(id);
    if (thread.loaded || thread.state === "loading") return;
    thread.state = "loading";
    this.#store.touch(id);
    await this.#intoThread(id, thread, async () => {
      const limit = Math.min(LARGE_PAGE, Math.max(PAGE, unread + PAGE / 2));
      let page = await this.#persist(() => this.#client.messages(id, { limit }));
      let messages = page?.messages ?? [];
      // A page of large messages has fewer than the limit; only `has_more` says whether there are more.
      for (let i = 1; page?.has_more && page.messages.length && messages.length < unread && i < UNREAD_PAGES; i++) {
        const before = messages[0]?.seq;
        page = await this.#persist(() => this.#client.messages(id, { before, limit }));
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
    await this.#intoThread(id, thread, async () => {
      const page = await this.#persist(() => this.#client.messages(id, { before: thread.low, limit: PAGE }));
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
      while (this.#open && thread.hasHole) {
        const page = await this.#persist(() => this.#client.messages(id, { after: thread.high, limit: LARGE_PAGE }));
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
  async reloadThread(id) {
    const mark = {};
    this.#reloading.set(id, mark); // a later call takes precedence
    const old = this.#store.ensure(id).thread;
    const fresh = new Thread();
    const journal = this.#store.journal();
    try {
      let page = await this.#persist(() => this.#client.messages(id, { limit: LARGE_PAGE }));
      if (page) fresh.applyNewest(page.messages, page.has_more);
      const behind = () => fresh.low !== null && old.low !== null && fresh.low > old.low;
      const enough = () => fresh.high - (fresh.low ?? 0) >= RELOAD_MESSAGES;
      while (page && fresh.hasOlder && behind() && !enough()) {
        page = await this.#persist(() => this.#client.messages(id, { before: fresh.low, limit: LARGE_PAGE }));
        if (page) fresh.applyOlder(page.messages, page.has_more);
      }
      if (page && this.#reloading.get(id) === mark) this.#store.replaceThread(id, fresh, journal.events);
    } catch {
      // refused: the messages shown stay
    } finally {
      journal.stop();
      if (this.#reloading.get(id) === mark) this.#reloading.delete(id);
    }
    await this.fill(id);
  }

  /**
   * Runs a load and writes its outcome into the thread. A conversation that does not exist yet is empty.
   *
   * @param {string} id
   * @param {Thread} thread
   * @param {() => Promise<void>} load
   */
  async #intoThread(id, thread, load) {
    try {
      await load();
      if (!thread.loaded) thread.state = "empty"; // the conversation was closed before the page arrived
    } catch (thrown) {
      const error = requestError(thrown);
      if (error.code === "unknown_conversation") {
        if (!thread.loaded) thread.applyNewest([], false);
      } else if (!thread.loaded) {
        thread.state = "failed";
        thread.error = error.message;
      }
    }
    this.#store.touch(id);
  }

  /**
   * Repeats a request until it is answered.
   *
   * @template Answer
   * @param {() => Promise<Answer>} request
   * @returns {Promise<Answer|null>} null if the answer is no longer needed
   */
  async #persist(request) {
    for (let failures = 0; this.#open; ) {
      try {
        const answer = await request();
        return this.#open ? answer : null;
      } catch (thrown) {
        const error = requestError(thrown);
        if (!this.#open) return null;
        if (error.status === 401) {
          this.emit("unauthorized", null);
          return null;
        }
        if (!error.temporary) throw error;
        await this.#waits.sleep(backOff(++failures), error.retryAfter);
      }
    }
    return null;
  }
}
