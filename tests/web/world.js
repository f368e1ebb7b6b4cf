/**
 * The interfaces of a browser that the page's modules use, faked: storage, locks, channels between tabs, EventSource.
 */

import { mock } from "node:test";
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";

/** localStorage. */
export class FakeStorage {
  /** @type {Map<string, string>} */
  #items = new Map();
  /** Whether every access throws, as where cookies are blocked. */
  blocked = false;

  get length() {
    return this.#open().size;
  }

  /** @param {number} index */
  key(index) {
    return [...this.#open().keys()][index] ?? null;
  }

  /** @param {string} key */
  getItem(key) {
    return this.#open().get(key) ?? null;
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this.#open().set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.#open().delete(key);
  }

  #open() {
    if (this.blocked) throw new Error("blocked");
    return this.#items;
  }
}

/**
 * @typedef {object} Waiter
 * @property {(lock: object|null) => unknown} granted
 * @property {(value: unknown) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/** Web Locks: one holder a name, the others in a queue. */
export class FakeLocks {
  /** @type {Map<string, Waiter>} */
  #holders = new Map();
  /** @type {Map<string, Waiter[]>} */
  #queues = new Map();
  /** What the next request, and a query after it, take to reach the browser's process. @type {Promise<unknown>|null} */
  #way = null;
  #arrived = Promise.resolve();

  /** @param {Promise<unknown>} way */
  delayNext(way) {
    this.#way = way;
  }

  /** Resolves when the requests that were made before have come. */
  async query() {
    await this.#arrived;
    return { held: [], pending: [] };
  }

  /**
   * @param {string} name
   * @param {{signal?: AbortSignal, steal?: boolean, ifAvailable?: boolean}} options
   * @param {(lock: object|null) => unknown} granted
   */
  request(name, options, granted) {
    const way = this.#way;
    this.#way = null;
    if (!way) return this.#come(name, options, granted);
    this.#arrived = way.then(() => {});
    return this.#arrived.then(() => this.#come(name, options, granted));
  }

  /**
   * @param {string} name
   * @param {{signal?: AbortSignal, steal?: boolean, ifAvailable?: boolean}} options
   * @param {(lock: object|null) => unknown} granted
   */
  #come(name, { signal, steal = false, ifAvailable = false }, granted) {
    return new Promise((resolve, reject) => {
      const waiter = { granted, resolve, reject };
      if (signal?.aborted) return reject(signal.reason);
      if (steal) {
        this.#holders.get(name)?.reject(new DOMException("stolen", "AbortError"));
        return this.#grant(name, waiter);
      }
      if (!this.#holders.has(name)) return this.#grant(name, waiter);
      if (ifAvailable) return resolve(granted(null));
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, [...queue, waiter]);
      signal?.addEventListener("abort", () => {
        this.#queues.set(name, this.#queues.get(name)?.filter((other) => other !== waiter) ?? []);
        reject(signal.reason);
      });
    });
  }

  /** @param {string} name @param {Waiter} waiter */
  async #grant(name, waiter) {
    this.#holders.set(name, waiter);
    await null;
    try {
      waiter.resolve(await waiter.granted({ name }));
    } catch (error) {
      waiter.reject(error);
    }
    if (this.#holders.get(name) !== waiter) return; // stolen
    this.#holders.delete(name);
    const [next, ...others] = this.#queues.get(name) ?? [];
    this.#queues.set(name, others);
    if (next) this.#grant(name, next);
  }
}

/** BroadcastChannel: what a tab posts reaches the others, once the present task is done. */
export class FakeChannel {
  /** @type {FakeChannel[]} those that are open, in the order in which they were opened */
  static open = [];
  /** @type {(event: {data: any}) => void} */
  onmessage = () => {};
  /** Whether the tab hangs: it hears nothing and says nothing. */
  frozen = false;

  /** @param {string} name */
  constructor(name) {
    this.name = name;
    FakeChannel.open.push(this);
  }

  /** @param {unknown} data */
  postMessage(data) {
    if (!FakeChannel.open.includes(this)) throw new DOMException("closed", "InvalidStateError");
    if (this.frozen) return;
    const others = FakeChannel.open.filter((other) => other !== this && other.name === this.name);
    for (const other of others) {
      queueMicrotask(() => {
        if (!other.frozen && FakeChannel.open.includes(other)) other.onmessage({ data: structuredClone(data) });
      });
    }
  }

  close() {
    FakeChannel.open = FakeChannel.open.filter((other) => other !== this);
  }
}

/** EventSource, fed with the text of a stream; it keeps the last id as the standard says (WHATWG HTML §9.2.6). */
export class FakeSource extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  /** @type {FakeSource[]} all that were made, the latest last */
  static made = [];
  readyState = FakeSource.CONNECTING;
  #lastId = "";

  /** @param {string} url @param {{withCredentials: boolean}} options */
  constructor(url, options) {
    super();
    this.url = url;
    this.options = options;
    FakeSource.made.push(this);
  }

  /**
   * Receives an event; without an id, as ephemeral ones are.
   *
   * @param {string} type
   * @param {unknown} data
   * @param {string} [id]
   */
  event(type, data, id) {
    this.text(`event: ${type}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
  }

  /** @param {string} text of one event */
  text(text) {
    if (this.readyState === FakeSource.CLOSED) return;
    this.readyState = FakeSource.OPEN;
    const fields = Object.fromEntries(
      text
        .trim()
        .split("\n")
        .map((line) => line.split(/: (.*)/s).slice(0, 2)),
    );
    this.#lastId = fields.id ?? this.#lastId;
    this.dispatchEvent(new MessageEvent(fields.event, { data: fields.data, lastEventId: this.#lastId }));
  }

  /**
   * Breaks off: EventSource reconnects by itself, or, after a status other than 200, gives up.
   *
   * @param {{gaveUp: boolean}} how
   */
  fail({ gaveUp }) {
    this.readyState = gaveUp ? FakeSource.CLOSED : FakeSource.CONNECTING;
    this.dispatchEvent(new Event("error"));
  }

  close() {
    this.readyState = FakeSource.CLOSED;
  }
}

/** The latest EventSource. */
export function latestSource() {
  const source = FakeSource.made.at(-1);
  if (!source) throw new Error("nobody has connected");
  return source;
}

/** Puts a fake browser in place, at noon of a day in 2026, with a clock that stands still. */
export function fakeBrowser() {
  FakeSource.made = [];
  FakeChannel.open = [];
  const globals = {
    window: new EventTarget(),
    document: Object.assign(new EventTarget(), { hidden: false }),
    navigator: { locks: /** @type {FakeLocks|undefined} */ (new FakeLocks()) },
    localStorage: new FakeStorage(),
    sessionStorage: new FakeStorage(),
    indexedDB: /** @type {IDBFactory|undefined} */ (new IDBFactory()),
    IDBKeyRange,
    location: { href: "https://chat.example/", origin: "https://chat.example" },
    EventSource: FakeSource,
    BroadcastChannel: FakeChannel,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.UTC(2026, 0, 5, 12) });
  mock.restoreAll();
  mock.method(performance, "now", () => Date.now());
  mock.method(AbortSignal, "timeout", (/** @type {number} */ milliseconds) => {
    const ends = new AbortController();
    setTimeout(() => ends.abort(new DOMException("It took too long.", "TimeoutError")), milliseconds);
    return ends.signal;
  });
  mock.method(Math, "random", () => 1); // the longest delay before a next attempt
  return globals;
}

/** Lets everything run that waits for nothing but promises and the database, for so many turns of the loop. */
export async function settle(turns = 20) {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass, in steps that let promises run in between. @param {number} milliseconds */
export async function pass(milliseconds) {
  await settle();
  for (let left = milliseconds; left > 0; left -= 100) {
    mock.timers.tick(Math.min(left, 100));
    await settle(6);
  }
  await settle();
}

/** Every detail of an event, as it comes. @param {EventTarget} target @param {string} type @returns {any[]} */
export function collect(target, type) {
  /** @type {any[]} */
  const details = [];
  target.addEventListener(type, (event) => details.push(/** @type {CustomEvent} */ (event).detail));
  return details;
}

/** A promise that the test settles. @template T */
export function deferred() {
  /** @type {(value: T) => void} */
  let resolve = () => {};
  /** @type {(error: unknown) => void} */
  let reject = () => {};
  /** @type {Promise<T>} */
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** A message from bob to alice. @param {number} seq @param {Record<string, unknown>} overrides @returns {any} */
export function message(seq, overrides = {}) {
  const created_at = new Date(Date.UTC(2026, 0, 1) + seq * 1000).toISOString();
  const named = { conversation_id: "dm:alice:bob", sender: "bob", client_msg_id: `id ${seq}` };
  return { ...named, seq, version: seq, text: `text ${seq}`, created_at, ...overrides };
}

/**
 * A server for `fetch`: direct messages of alice and bob, and the requests that it got.
 *
 * @param {any[]} history its messages
 */
export function fakeServer(history = []) {
  const state = {
    history,
    /** @type {string[]} */
    requests: [],
    /** @type {Record<string, any>} the last body of each route */
    bodies: {},
    /** @type {any[]} other conversations to list */
    groups: [],
    /** The user's mark in the conversation of `history`. */
    read_up_to: 0,
    /** @type {any} the answer to what makes, changes or joins a group */
    made: null,
    /** @type {any} a group that the user has left */
    left: null,
    /** @type {any} the answer to a change of a message */
    changed: null,
    /** @type {any[]} of every group */
    members: [],
    /** @type {string[]} those whom the user blocks */
    blocked: [],
    /** @type {any[]} of every message */
    reactions: [],
    /** @type {number|null} a status with which it answers everything */
    failing: null,
  };
  const read = (/** @type {string} */ route, /** @type {{up_to: number}} */ { up_to }) => {
    state.read_up_to = Math.max(state.read_up_to, up_to);
    const conversation_id = route.slice("PUT /v1/conversations/".length, -"/read".length);
    return { conversation_id, read_up_to: up_to, unread: 0, mentions: [], muted: false };
  };
  const conversations = (/** @type {string} */ route) => {
    const [, one] = route.split("/v1/conversations/");
    const last_message = state.history.at(-1);
    const counts = { read_up_to: state.read_up_to, mentions: [], muted: false };
    const bob = { id: "dm:alice:bob", newest_seq: last_message?.seq, last_message, ...counts, ...ofBlocks("bob") };
    const direct = last_message ? [bob] : [];
    if (one === undefined) return { conversations: [...direct, ...state.groups], next: null };
    const found = [...direct, ...state.groups].find(({ id }) => id === one);
    if (found || !one.startsWith("dm:alice:")) return found ?? state.left;
    return { ...counts, id: one, newest_seq: 0, last_message: null, read_up_to: 0, ...ofBlocks(one.slice(9)) };
  };
  const ofBlocks = (/** @type {string} */ user) => (state.blocked.includes(user) ? { blocked: true } : {});
  const blocks = (/** @type {string} */ route) => {
    const [method, user = ""] = route.split(" /v1/blocks/");
    state.blocked = state.blocked.filter((one) => one !== user);
    if (method === "PUT") state.blocked.push(user);
    return method === "PUT" ? { user } : { blocks: state.blocked.map((one) => ({ user: one })), next: null };
  };
  const answers = (/** @type {string} */ route, /** @type {any} */ body) => {
    if (route.endsWith("/v1/session") || route === "POST /v1/users") return { user: "alice" };
    if (route === "POST /v1/messages") {
      const sent = message(state.history.length + 1, { sender: "alice", ...body });
      state.history.push(sent);
      state.read_up_to = sent.seq;
      return sent;
    }
    if (route.includes("/v1/blocks")) return blocks(route);
    if (route.endsWith("/messages")) return { messages: state.history, has_more: false };
    const [listed = ""] = /(?<=\/)(members|reactions)$/.exec(route) ?? [];
    if (listed === "members" || listed === "reactions") return { [listed]: state[listed], next: null };
    if (route.includes("/messages/")) return state.changed;
    if (route.endsWith("/read")) return read(route, body);
    return route.startsWith("GET ") ? conversations(route) : state.made;
  };
  mock.method(globalThis, "fetch", async (/** @type {string} */ url, /** @type {any} */ { method, body }) => {
    const route = `${method} ${decodeURIComponent(url.split("?")[0] ?? "")}`;
    state.requests.push(route);
    if (state.failing) return new Response("{}", { status: state.failing });
    if (body) state.bodies[route] = JSON.parse(body);
    const answer = answers(route, state.bodies[route]);
    const missing = { code: "unknown_conversation", detail: "No such conversation." };
    return route.startsWith("GET ") && !answer ? Response.json(missing, { status: 404 }) : Response.json(answer);
  });
  return state;
}
