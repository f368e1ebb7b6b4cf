/** What people are called and look like. */

import { Emitter } from "./emitter.js";
import { requestError } from "./http.js";

/** @typedef {import("./user_requests.js").User} User */
/** @typedef {import("./account_requests.js").Profile} Profile */

/** Milliseconds after which it is asked again what somebody is called, if it is shown. */
const FRESH = 5 * 60_000;

/** Milliseconds within which people who are shown are asked for together. */
const TOGETHER = 20;

/** Milliseconds until the next attempt, where the server does not answer. */
const AGAIN = 30_000;

/** People who are asked for at a time, and who are remembered. */
const AT_ONCE = 100;
const MOST = 5_000;

/**
 * Others are asked for when they are shown, and are called by their ids until then. One's own profile is the same on
 * all devices at once: an event tells of each change.
 *
 * Events: `change`, when somebody is called otherwise.
 *
 * @extends {Emitter<{change: null}>}
 */
export class People extends Emitter {
  #client;
  #user;
  #pictures;
  /** @type {Map<string, {user: User, until: number}>} the oldest first */
  #known = new Map();
  /** @type {Set<string>} who is to be asked for */
  #wanted = new Set();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #closed = false;
  /** @type {Profile|null} */
  #me = null;

  /**
   * @param {import("./client.js").ChatClient} client
   * @param {string} user the signed-in user
   * @param {import("./client.js").Ways} ways
   */
  constructor(client, user, { avatars = false } = {}) {
    super();
    this.#client = client;
    this.#user = user;
    this.#pictures = avatars;
  }

  /** Whether pictures of people are shown. */
  get pictures() {
    return this.#pictures;
  }

  /** One's own profile; null until it is known. */
  get me() {
    return this.#me;
  }

  /** The name that somebody has chosen; empty if there is none, or none is known. @param {string} id */
  called(id) {
    return this.#of(id)?.display_name ?? "";
  }

  /** What to call somebody. @param {string} id */
  name(id) {
    return this.called(id) || id;
  }

  /** The URL of somebody's picture; empty if there is none, or none is to be shown. @param {string} id */
  picture(id) {
    return (this.#pictures && this.#of(id)?.avatar_url) || "";
  }

  /** Handles the event `profile`. @param {{version: number}} change */
  receive({ version }) {
    if (version > (this.#me?.version ?? -1)) this.refresh();
  }

  /**
   * Asks for one's own profile: at the beginning, and when events may be missing.
   *
   * @param {{lost?: boolean}} options whether the server may have lost the newest changes
   */
  async refresh({ lost = false } = {}) {
    try {
      const profile = await this.#client.account.me();
      if (lost) this.#me = null;
      this.#take(profile);
    } catch (thrown) {
      if (!requestError(thrown).temporary || this.#closed) return;
      setTimeout(() => this.#closed || this.refresh({ lost }), AGAIN);
    }
  }

  /**
   * Changes one's own profile.
   *
   * @param {Parameters<import("./account_requests.js").AccountRequests["change"]>[0]} change
   * @throws {import("./http.js").RequestError}
   */
  async change(change) {
    this.#take(await this.#client.account.change(change));
  }

  /** Takes over what a search has told. @param {User[]} users */
  learn(users) {
    this.#remember(users);
  }

  /** Must be called when the server is back: who could not be asked for is asked for at once. */
  again() {
    if (!this.#wanted.size) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), TOGETHER);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** @param {Profile} profile */
  #take(profile) {
    if (this.#closed || (this.#me && profile.version < this.#me.version)) return; // an older answer
    this.#me = profile;
    this.emit("change", null);
  }

  /** @param {string} id @returns {Pick<User, "display_name"|"avatar_url">|undefined} */
  #of(id) {
    if (id === this.#user) return this.#me ?? undefined;
    const known = this.#known.get(id);
    if (!known || known.until < Date.now()) this.#want(id);
    return known?.user;
  }

  /** @param {string} id */
  #want(id) {
    if (this.#closed || this.#wanted.has(id)) return;
    this.#wanted.add(id);
    this.#timer ??= setTimeout(() => this.#ask(), TOGETHER);
  }

  async #ask() {
    const ids = [...this.#wanted].slice(0, AT_ONCE);
    let pause = TOGETHER;
    try {
      const found = new Map((await this.#client.users.list(ids)).map((user) => [user.id, user]));
      this.#remember(ids.map((id) => found.get(id) ?? { id }));
    } catch (thrown) {
      const error = requestError(thrown);
      if (error.temporary) pause = Math.max(AGAIN, error.retryAfter ?? 0);
      else this.#remember(ids.map((id) => ({ id })));
    }
    this.#timer = undefined;
    if (this.#wanted.size && !this.#closed) this.#timer = setTimeout(() => this.#ask(), pause);
  }

  /** @param {User[]} users */
  #remember(users) {
    let changed = false;
    for (const user of users) {
      const before = this.#known.get(user.id)?.user;
      changed ||= (before?.display_name ?? "") !== (user.display_name ?? "");
      changed ||= (before?.avatar_url ?? "") !== (user.avatar_url ?? "");
      this.#wanted.delete(user.id);
      this.#known.delete(user.id);
      this.#known.set(user.id, { user, until: Date.now() + FRESH });
    }
    for (const id of this.#known.keys()) {
      if (this.#known.size <= MOST) break;
      this.#known.delete(id);
    }
    if (changed && !this.#closed) this.emit("change", null);
  }
}
