/** What loads state over REST, with a server whose answers the test decides. */

import { Attempts } from "../../src/ssechat/web/attempts.js";
import { Paging } from "../../src/ssechat/web/paging.js";
import { Quotes } from "../../src/ssechat/web/quotes.js";
import { Rosters } from "../../src/ssechat/web/rosters.js";
import { Store } from "../../src/ssechat/web/store.js";
import { Sync } from "../../src/ssechat/web/sync.js";
import { WideThreads } from "../../src/ssechat/web/wide_threads.js";
import { collect, message } from "./world.js";

export const BOB = "dm:alice:bob";
export const GROUP = "g:friends";

/**
 * A server with a history of `count` messages, whose pages have at most `pageSize`.
 *
 * @param {number} count
 * @param {number} pageSize
 */
export function history(count, pageSize = 200) {
  const every = Array.from({ length: count }, (_, i) => message(i + 1));
  /** @type {any[]} */
  const requests = [];
  return {
    every,
    requests,
    /**
     * @param {string} _
     * @param {{before?: any, after?: number, around?: number, limit?: number}} query
     * @returns {Promise<any>}
     */
    async messages(_, query) {
      requests.push(query);
      const { before, after, around, limit = 50 } = query;
      const size = Math.min(limit, pageSize);
      if (around !== undefined) {
        const first = Math.max(0, around - 1 - Math.floor(size / 2));
        const messages = every.slice(first, first + size);
        return { messages, has_more_before: first > 0, has_more_after: first + size < every.length };
      }
      const found = every.filter(({ seq }) => (before ? seq < before : seq > (after ?? 0)));
      const messages = after === undefined ? found.slice(-size) : found.slice(0, size);
      return { messages, has_more: found.length > messages.length };
    },
    /** @returns {Promise<any>} */
    async conversations() {
      return { conversations: [], next: null };
    },
    /** @returns {Promise<any>} */
    async conversation() {
      return null;
    },
    /** @returns {Promise<any>} */
    async members() {
      return { members: [], next: null };
    },
    /** @param {string} _ @param {number} seq @returns {Promise<any>} */
    async message(_, seq) {
      return { message: every[seq - 1], etag: null };
    },
  };
}

/** A store and what loads it. @param {Partial<ReturnType<typeof history>>} client */
export function loading(client) {
  const every = { ...history(0), ...client };
  const asked = {
    conversations: { list: every.conversations, get: every.conversation },
    groups: { members: every.members },
    messages: { list: every.messages, get: every.message },
  };
  const store = new Store("alice");
  const attempts = new Attempts();
  const sync = new Sync(asked, store, attempts, () => true);
  const paging = new Paging(store, sync);
  const rosters = new Rosters(asked, store, attempts);
  const threads = new WideThreads(asked, store, attempts);
  const quotes = new Quotes(asked, store, attempts);
  const { thread } = store.ensure(BOB);
  return {
    store,
    sync,
    paging,
    rosters,
    threads,
    quotes,
    attempts,
    thread,
    unauthorized: collect(attempts, "unauthorized"),
  };
}

/** @param {Store} store */
export const seqs = (store, id = BOB) => store.ensure(id).thread.messages.map(({ seq }) => seq);

/** @param {number} first @param {number} last */
export const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
