/** Whom the user blocks. */

import { Emitter } from "./emitter.js";
import { directConversationId } from "./ids.js";

/** @typedef {import("./membership.js").Block} Block */

/**
 * Blocks and unblocks. What is so then comes with the stream's events, and is asked after each change: the stream may
 * be away just then.
 *
 * Events: `change`, somebody was blocked or unblocked on some device.
 *
 * @extends {Emitter<{change: Block}>}
 */
export class Blocks extends Emitter {
  #client;
  #store;
  #sync;

  /**
   * @param {import("./client.js").ChatClient} client
   * @param {import("./store.js").Store} store
   * @param {import("./sync.js").Sync} sync
   */
  constructor(client, store, sync) {
    super();
    this.#client = client;
    this.#store = store;
    this.#sync = sync;
  }

  /** Blocks a user. @param {string} user @throws {import("./http.js").RequestError} */
  async add(user) {
    await this.#client.blocks.add(user);
    this.#ask(user);
  }

  /** Takes a block back. @param {string} user @throws {import("./http.js").RequestError} */
  async remove(user) {
    await this.#client.blocks.remove(user);
    this.#ask(user);
  }

  /** A page of those whom the user blocks. @param {string|null} after @throws {import("./http.js").RequestError} */
  page(after) {
    return this.#client.blocks.list({ after, limit: 100 });
  }

  /** @param {string} user */
  #ask(user) {
    const id = directConversationId(this.#store.user, user);
    if (this.#store.conversation(id)) this.#sync.refresh(id);
  }
}
