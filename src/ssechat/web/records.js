/** Records in IndexedDB, which outlive the tab. */

const DATABASE = "ssechat";
const VERSION = 1;
const STORE = "outbox";

/** @typedef {{scope: string, client_msg_id: string} & Record<string, any>} Kept */

/**
 * The records of one scope, by their `client_msg_id`. It never throws: where there is no IndexedDB, or it is blocked or
 * full, nothing is kept.
 */
export class Records {
  #scope;
  /** @type {Promise<IDBDatabase>|null} */
  #opening = null;
  /** Whether there was a database, and whether that has been made anew since: what was in it is lost. */
  #found = false;
  #lost = false;

  /** @param {string} scope what the records belong to: a user of a server */
  constructor(scope) {
    this.#scope = scope;
  }

  /** All records. @returns {Promise<Kept[]>} */
  async all() {
    const range = () => IDBKeyRange.bound([this.#scope, ""], [this.#scope, "\uffff"]);
    return (await this.#do("readonly", (store) => store.getAll(range()))) ?? [];
  }

  /** Whether there is such a record; undefined if that cannot be told. @param {string} id */
  async has(id) {
    const count = await this.#do("readonly", (store) => store.count([this.#scope, id]));
    return count ? true : count === undefined || this.#lost ? undefined : false;
  }

  /** Writes a record; whether it is kept now. @param {{client_msg_id: string} & Record<string, any>} record */
  async put(record) {
    return (await this.#do("readwrite", (store) => store.put({ ...record, scope: this.#scope }))) !== undefined;
  }

  /** @param {string} id */
  async remove(id) {
    await this.#do("readwrite", (store) => store.delete([this.#scope, id]));
  }

  /**
   * Makes one request in a transaction of its own, and waits until that is written. If the connection is an earlier one
   * it is tried once more: browsers close those of a page in the background.
   *
   * @template Result
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<Result>} ask
   * @param {boolean} [again] whether it is tried once more
   * @returns {Promise<Result|undefined>} undefined if there is no database
   */
  async #do(mode, ask, again = this.#opening !== null) {
    try {
      this.#opening ??= open(() => {
        this.#lost = this.#found;
      });
      const transaction = (await this.#opening).transaction(STORE, mode);
      this.#found = true;
      const request = ask(transaction.objectStore(STORE));
      transaction.commit(); // now, so that it is done even if the page ends
      await settled(transaction, "complete");
      return request.result ?? /** @type {any} */ (null);
    } catch {
      this.#opening = null; // it may have been closed: it is opened again
      return again ? this.#do(mode, ask, false) : undefined;
    }
  }
}

/** @param {() => void} onMade called if there was no such database @returns {Promise<IDBDatabase>} */
async function open(onMade) {
  const request = indexedDB.open(DATABASE, VERSION);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STORE, { keyPath: ["scope", "client_msg_id"] });
    onMade();
  };
  await settled(request, "success");
  // Another tab has a newer version of this file: its database is another one, and this tab keeps what it has.
  request.result.onversionchange = () => request.result.close();
  return request.result;
}

/**
 * Waits for a request or a transaction. One that waits for another tab to let go ends with an error, too.
 *
 * @param {EventTarget} target
 * @param {string} type of the event that tells its success
 */
function settled(target, type) {
  return new Promise((resolve, reject) => {
    target.addEventListener(type, resolve);
    for (const wrong of ["error", "abort", "blocked"]) target.addEventListener(wrong, reject);
  });
}
