/** Loads what the stream does not bring, over REST, so that both join without a hole. */

import { backOff } from "./http.js";
import { Thread } from "./thread.js";

const PAGE = 50;
const LARGE_PAGE = 200;
const UNREAD_PAGES = 8;
const RELOAD_MESSAGES = 2000;

/** Event: `unauthorized`. */
export class Sync extends EventTarget {
  #client;
  #store;
  #keep;
  #open = true;
  #loading = false;
  #again = false;
  #filling = new Set();
  #reloading = new Map();
  #wakers = new Set();
  #moreLoading = false;

  /**
   * @param {import("./client.js").ChatClient} client
   * @param {import("./store.js").Store} store
   * @param {(conversation: object) => boolean} keep which conversations stay though a reload did not name them
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

  /** Tries now what waits for its next attempt. */
  wake() {
    for (const wake of [...this.#wakers]) wake();
  }

  /** Loads the conversations, and again if asked meanwhile: an answer under way may be too old. */
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
          if (page) this.#store.replaceConversations(page.conversations, page.next, journal.messages, this.#keep);
        } catch (error) {
          this.#store.fail(error.message);
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
      if (page && this.#store.next === before) this.#store.addConversations(page.conversations, page.next);
    } catch (error) {
      this.#store.fail(error.message);
    } finally {
      this.#moreLoading = false;
    }
  }

  /** Sees to it that the newest messages of a conversation are there, and all that are unread if they are not many. */
  async openThread(id, unread = 0) {
    const { thread } = this.#store.ensure(id);
    if (thread.loaded || thread.state === "loading") return;
    thread.state = "loading";
    this.#store.touch(id);
    await this.#intoThread(id, thread, async () => {
      const limit = Math.min(LARGE_PAGE, Math.max(PAGE, unread + PAGE / 2));
      let page = await this.#persist(() => this.#client.messages(id, { limit }));
      let messages = page?.messages ?? [];
      // A page has less than was asked for where messages are large; that there are more, only `has_more` says.
      for (let i = 1; page?.has_more && page.messages.length && messages.length < unread && i < UNREAD_PAGES; i++) {
        const before = messages[0].seq;
        page = await this.#persist(() => this.#client.messages(id, { before, limit }));
        messages = [...(page?.messages ?? []), ...messages];
      }
      if (page) thread.applyNewest(messages, page.has_more);
    });
    await this.fill(id);
  }

  /** Loads the messages before those that are there. */
  async older(id) {
    const { thread } = this.#store.ensure(id);
    if (!thread.loaded || !thread.hasOlder || thread.loadingOlder) return;
    thread.loadingOlder = true;
    this.#store.touch(id);
    await this.#intoThread(id, thread, async () => {
      const page = await this.#persist(() => this.#client.messages(id, { before: thread.low, limit: PAGE }));
      if (page) thread.applyOlder(page.messages, page.has_more);
    });
    thread.loadingOlder = false;
    this.#store.touch(id);
  }

  /** Fills a hole before messages that arrived live. */
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
      // refused: the conversation is gone for us; what is shown stays
    } finally {
      this.#filling.delete(thread);
    }
  }

  /** Loads a thread anew, as far back as it was, and puts it in place when it is complete. */
  async reloadThread(id) {
    const mark = {};
    this.#reloading.set(id, mark); // the last one asked for counts
    const old = this.#store.ensure(id).thread;
    const fresh = new Thread();
    const journal = this.#store.journal();
    try {
      let page = await this.#persist(() => this.#client.messages(id, { limit: LARGE_PAGE }));
      if (page) fresh.applyNewest(page.messages, page.has_more);
      const ending = () => fresh.high - fresh.low >= RELOAD_MESSAGES;
      while (page && fresh.hasOlder && old.loaded && fresh.low > old.low && !ending()) {
        page = await this.#persist(() => this.#client.messages(id, { before: fresh.low, limit: LARGE_PAGE }));
        if (page) fresh.applyOlder(page.messages, page.has_more);
      }
      if (page && this.#reloading.get(id) === mark) this.#store.replaceThread(id, fresh, journal.messages);
    } catch {
      // refused: what is shown stays
    } finally {
      journal.stop();
      if (this.#reloading.get(id) === mark) this.#reloading.delete(id);
    }
    await this.fill(id);
  }

  /** Runs a load and writes its outcome into the thread. A conversation that does not exist yet is empty. */
  async #intoThread(id, thread, load) {
    try {
      await load();
      if (!thread.loaded) thread.state = "empty"; // stopped before it was there
    } catch (error) {
      if (error.code === "unknown_conversation") {
        if (!thread.loaded) thread.applyNewest([], false);
      } else if (!thread.loaded) {
        thread.state = "failed";
        thread.error = error.message;
      }
    }
    this.#store.touch(id);
  }

  /** Repeats until it is answered. @returns {Promise<object|null>} null when this page no longer wants it */
  async #persist(request) {
    for (let failures = 0; this.#open; ) {
      try {
        const answer = await request();
        return this.#open ? answer : null;
      } catch (error) {
        if (!this.#open) return null;
        if (error.status === 401) {
          this.dispatchEvent(new CustomEvent("unauthorized"));
          return null;
        }
        if (!error.temporary) throw error;
        await this.#sleep(backOff(++failures), error.retryAfter);
      }
    }
    return null;
  }

  #sleep(delay, atLeast) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(delay, atLeast ?? 0));
      if (!atLeast || !this.#open) this.#wakers.add(wake);
    });
  }
}
