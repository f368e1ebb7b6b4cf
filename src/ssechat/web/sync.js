/** Loads conversations over REST, and joins them with the stream's events without a hole. */

import { requestError } from "./http.js";

const PAGE = 100;

/** Loads what is not messages. */
export class Sync {
  #client;
  #store;
  #attempts;
  #keep;
  /** @type {Map<string, {again: boolean}>} the loads under way, by the conversation's id; of all: empty */
  #running = new Map();

  /**
   * @param {object} client
   * @param {Pick<import("./client.js").ChatClient["conversations"], "list"|"get">} client.conversations
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
  load() {
    return this.#lastly("", () => this.page());
  }

  /** Loads a page of conversations. @param {string} [before] where it begins; without it, it is the first one */
  async page(before) {
    const store = this.#store;
    const journal = store.journal();
    try {
      const page = await this.#attempts.persist(() => this.#client.conversations.list({ limit: PAGE, before }));
      if (!page) return;
      const { conversations, next } = page;
      if (!before) {
        for (const id of store.replaceConversations(conversations, next, journal.events, this.#keep)) this.refresh(id);
      } else if (store.next === before) {
        store.addConversations(conversations, next, journal.events); // after a reload the paging starts again
      }
    } catch (thrown) {
      const { message, code } = requestError(thrown);
      store.fail(message, code);
    } finally {
      journal.stop();
    }
  }

  /** Loads one conversation, and again if called meanwhile. @param {string} id */
  refresh(id) {
    return this.#lastly(id, async () => {
      try {
        await this.put(() => this.#attempts.persist(() => this.#client.conversations.get(id)));
      } catch (thrown) {
        const { message, code } = requestError(thrown);
        this.#store.refuse(id, message, code);
      }
    });
  }

  /**
   * Does a work, and again if called meanwhile.
   *
   * @param {string} id of the conversation that it is about; empty: of all
   * @param {() => Promise<void>} work
   */
  async #lastly(id, work) {
    const running = this.#running.get(id);
    if (running) {
      running.again = true;
      return;
    }
    const run = { again: true };
    this.#running.set(id, run);
    while (run.again && this.#attempts.open) {
      run.again = false;
      await work();
    }
    this.#running.delete(id);
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
}
