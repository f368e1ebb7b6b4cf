/** Who is there, of those whom this tab shows. */

import { Emitter } from "./emitter.js";
import { newMessageId } from "./ids.js";
import { isHidden } from "./platform.js";
import { watchListName } from "./tab_storage.js";

/** @typedef {import("./presence_requests.js").Person} Person */

/**
 * What a view shows: people, and the group that the user shares with them.
 *
 * @typedef {{users: string[], group?: string}} Shown
 */

/** Milliseconds for which whoever is shown must stay so: a list that is scrolled makes one request. */
const CALM = 400;

/** Milliseconds between two tries while the server cannot be asked. */
const AGAIN = 15_000;

/** Users in one list, at most. */
const MOST = 100;

/** Milliseconds after which "5 minutes ago" is another text. */
const MINUTE = 60_000;

/** Minutes after which the list is given again: the server keeps few of a user, and drops the one given first. */
const ANEW = 10;

/**
 * Events: `change`, when it is known of somebody, or what was said of it has grown old.
 *
 * @extends {Emitter<{change: null}>}
 */
export class Presence extends Emitter {
  #client;
  /** The name of this tab's list. */
  #device;
  /** @type {Map<string, Person>} */
  #people = new Map();
  /** @type {Set<() => Shown>} what the views show now */
  #sources = new Set();
  /** What was said last to the server, as JSON. */
  #said = "";
  /** Whether the server may have a list of this tab with somebody on it. */
  #watches;
  /** Whether a request is under way: the next one might overtake it, so it waits. */
  #asking = false;
  /** Whether one waits. */
  #waits = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #age = 0;
  #minutes = setInterval(() => this.#minute(), MINUTE);
  #listeners = new AbortController();

  /** @param {import("./client.js").ChatClient} client */
  constructor(client) {
    super();
    this.#client = client;
    const before = takeDevice();
    this.#device = before ?? newMessageId();
    this.#watches = before !== null;
    const { signal } = this.#listeners;
    globalThis.window?.addEventListener("pagehide", () => watchListName.set(this.#device), { signal });
    globalThis.window?.addEventListener("pageshow", ({ persisted }) => persisted && takeDevice(), { signal });
  }

  /** Whether somebody is there; undefined while it is not known. @param {string} user */
  of(user) {
    return this.#people.get(user);
  }

  /**
   * Watches whomever a view shows, as it says whenever it is asked.
   *
   * @param {() => Shown} source
   * @returns {() => void} what ends it
   */
  add(source) {
    this.#sources.add(source);
    this.look();
    return () => {
      this.#sources.delete(source);
      this.look();
    };
  }

  /** Must be called when a view may show others than before. */
  look(delay = CALM) {
    if (this.#listeners.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#watch(), delay);
  }

  /** Must be called when the stream is back, or the page has become visible: the server may have forgotten the list. */
  again() {
    this.#said = "";
    this.look();
  }

  /** Handles the event. @param {{users: Person[]}} told */
  receive({ users }) {
    for (const person of users) if (this.#people.has(person.user)) this.#people.set(person.user, person);
    this.emit("change", null);
  }

  close() {
    watchListName.set(this.#device); // for what is started next in this page
    this.#listeners.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#minutes);
  }

  #minute() {
    if (this.#people.size > 0) this.emit("change", null);
    this.#age += 1;
    if (this.#age % ANEW === 0) this.again();
  }

  async #watch() {
    this.#timer = undefined;
    if (isHidden()) return; // it is done when the page becomes visible
    if (this.#asking) {
      this.#waits = true;
      return;
    }
    const { users, group } = this.#shown();
    const list = { watch: users, device: this.#device, ...(group === undefined ? {} : { in: group }) };
    const said = JSON.stringify(list);
    if (said === this.#said || (users.length === 0 && !this.#watches)) return;
    this.#said = said;
    this.#watches = true;
    this.#asking = true;
    try {
      const now = await this.#client.presence.watch(list);
      this.#watches = users.length > 0;
      if (this.#said === said) this.#keep(now.users);
    } catch (thrown) {
      this.#said = "";
      const { temporary } = /** @type {import("./http.js").RequestError} */ (thrown);
      if (temporary && this.#timer === undefined) this.look(AGAIN);
    }
    this.#asking = false;
    if (this.#waits) this.look();
    this.#waits = false;
  }

  /** Those whom the views show, those that were added last first. @returns {Shown} */
  #shown() {
    const all = [...this.#sources].reverse().map((source) => source());
    const users = [...new Set(all.flatMap((shown) => shown.users))].slice(0, MOST);
    const group = all.find((shown) => shown.group !== undefined)?.group;
    return group === undefined ? { users } : { users, group };
  }

  /** @param {Person[]} answered */
  #keep(answered) {
    const before = this.#people;
    this.#people = new Map(
      answered.map((person) => {
        const known = before.get(person.user);
        // Who was online is so until the stream says otherwise: a worker may just have died, and its people be on
        // their way to another one.
        return [person.user, known?.online && !person.online ? known : person];
      }),
    );
    this.emit("change", null);
  }
}

/**
 * The name that the page had before it was reloaded, once: a duplicate of this tab gets a copy of sessionStorage, and
 * must not replace this tab's list.
 */
function takeDevice() {
  const name = watchListName.get();
  watchListName.set(null);
  return name;
}
