/** Loads more of the conversations than the first page. */

export class Paging {
  #store;
  #sync;
  #loading = false;

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./sync.js").Sync} sync
   */
  constructor(store, sync) {
    this.#store = store;
    this.#sync = sync;
  }

  /** Loads the next page, where there is one. */
  async more() {
    const { next } = this.#store;
    if (!next || this.#loading) return;
    this.#loading = true;
    await this.#sync.page(next);
    this.#loading = false;
  }
}
