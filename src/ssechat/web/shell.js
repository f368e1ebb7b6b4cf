/**
 * The page's own files, kept by the service worker (service_worker.js): with them the page comes up where the server
 * cannot be reached. Nothing else is kept, and nothing of any user.
 */

const PREFIX = "ssechat-shell-";

/** Milliseconds after which the kept page is shown in place of one that does not come. */
export const PATIENCE = 3_000;

/** What the server serves for ever under this name. */
const NEVER_CHANGES = /-[0-9a-f]{16}\.\w+$/;

/**
 * What the server says of its page, in the service worker's script.
 *
 * @typedef {object} Files
 * @property {string} version another one whenever a file is another one
 * @property {string} page the path of the page itself
 * @property {string[]} loads the paths of what that names, and does not work without
 * @property {string[]} more the paths of what else belongs to it
 */

/** The files of one version. */
export class Shell {
  #files;
  #name;
  #origin;
  #caches;
  #fetch;

  /**
   * @param {Files} files
   * @param {object} browser
   * @param {string} browser.origin
   * @param {Pick<CacheStorage, "open"|"match"|"keys"|"delete">} browser.caches
   * @param {(input: string|Request, options?: RequestInit) => Promise<Response>} browser.fetch
   */
  constructor(files, { origin, caches, fetch }) {
    this.#files = files;
    this.#name = PREFIX + files.version;
    this.#origin = origin;
    this.#caches = caches;
    this.#fetch = fetch;
  }

  /** Keeps all files of this version, or none. It throws if one cannot be had: the browser tries again later. */
  async keep() {
    const { page, loads, more } = this.#files;
    const paths = [page, ...loads, ...more];
    try {
      const answers = await Promise.all(paths.map((path) => this.#load(path)));
      const cache = await this.#caches.open(this.#name);
      await Promise.all(answers.map((answer, i) => cache.put(paths[i] ?? "", answer)));
    } catch (error) {
      await this.#caches.delete(this.#name);
      throw error;
    }
  }

  /** Removes the files of other versions. */
  async clean() {
    const old = (await this.#caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== this.#name);
    await Promise.all(old.map((name) => this.#caches.delete(name)));
  }

  /**
   * The answer to a request, or null if the request is none of ours and goes on as if there were no service worker.
   *
   * @param {Pick<Request, "method"|"url"|"mode">} request
   * @returns {Promise<Response>|null}
   */
  answer(request) {
    const { origin, pathname } = new URL(request.url);
    if (request.method !== "GET" || origin !== this.#origin) return null;
    const { page, loads, more } = this.#files;
    if (request.mode === "navigate") return pathname === page ? this.#page(request) : null;
    return loads.includes(pathname) || more.includes(pathname) ? this.#file(request, pathname) : null;
  }

  /**
   * The page as the server has it now; as it was, if that does not answer in time or is out of order.
   *
   * @param {any} request
   */
  async #page(request) {
    const asked = this.#fetch(request);
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, null));
    /** @type {Response|null} */
    const answer = await Promise.race([asked.catch(() => null), late]);
    if (answer && answer.status < 500) return answer;
    return (await this.#kept(this.#files.page)) ?? asked;
  }

  /** @param {any} request @param {string} path */
  async #file(request, path) {
    return (await this.#kept(path)) ?? this.#fetch(request);
  }

  /** @param {string} path @returns {Promise<Response|undefined>} */
  async #kept(path) {
    try {
      return await this.#caches.match(path, { cacheName: this.#name, ignoreVary: true });
    } catch {
      return undefined; // the browser has lost it, or has no access now
    }
  }

  /** A file that can be kept. @param {string} path */
  async #load(path) {
    const forever = NEVER_CHANGES.test(path);
    const answer = await this.#fetch(path, { cache: forever ? "default" : "no-cache", redirect: "error" });
    if (answer.status !== 200) throw new Error(`${path} is answered ${answer.status}`);
    // A server of another version answers with its own script, or with a page that has other ones.
    const same = forever
      ? answer.headers.get("Cache-Control")?.includes("immutable")
      : path !== this.#files.page || (await this.#isWhole(answer.clone()));
    if (!same) throw new Error(`${path} is of another version`);
    return answer;
  }

  /** @param {Response} page */
  async #isWhole(page) {
    const text = await page.text();
    return this.#files.loads.every((path) => text.includes(path));
  }
}
