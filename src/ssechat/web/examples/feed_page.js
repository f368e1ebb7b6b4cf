/** What the pages of examples have in common: the feed, and how its connection is. */

import { Feed } from "../feeds.js";

/** @typedef {import("../feeds.js").FeedEvent} FeedEvent */
/** @typedef {import("../feeds.js").Known} Known */

/** Milliseconds after which a feed that was not there is asked for again. */
const LOOKED_FOR = 15_000;

/** Milliseconds after which a tab that nobody sees gives up its connection: a browser has six to a server. */
const UNSEEN = 10_000;

/** What `ssechat feed demo` names its events. */
const MADE_UP = "made-up";

/** Why a feed cannot be read, in words. @type {Record<string, string>} */
const REFUSALS = {
  not_a_member: "This feed is for the members of a group that you are not in.",
};

/**
 * The element with an id, which the page has.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}.`);
  return found;
}

/** Fills in the server's address. */
export function nameServer() {
  for (const node of document.querySelectorAll(".server")) node.textContent = location.origin;
}

/** Why a feed cannot be read just now, in words. @type {Record<string, string>} */
const WAITS = {
  unavailable: "The server has trouble with its storage just now.",
  too_many: "This feed has as many readers as the server takes.",
  full: "The server is full.",
};

/** A page that shows one feed. */
export class FeedPage {
  /** @type {Feed} */
  feed;
  /** @type {string} */
  name;
  /** What followed after the last connection, in words. */
  #came = "";
  /** Whether the feed was loaded after a gap, and the stream is to go on from there. */
  #loaded = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #ticking = 0;
  #paused = false;

  /**
   * @param {object} options
   * @param {string} options.name of the feed, unless the page's URL has `?feed=` with another one
   * @param {(event: FeedEvent) => void} options.onEvent
   * @param {(name: string) => Known|null} [options.known] what an earlier page had of the feed
   */
  constructor({ name, onEvent, known = () => null }) {
    this.name = new URLSearchParams(location.search).get("feed") || name;
    this.feed = new Feed(this.name, { known: known(this.name) });
    for (const node of document.querySelectorAll(".feed-name")) node.textContent = this.name;
    nameServer();
    this.feed.on("event", (event) => {
      if (event.event === MADE_UP) byId("made-up").hidden = false;
      onEvent(event);
    });
    this.feed.on("hello", ({ resumed, missed }) => {
      if (this.#loaded) this.#came = " What had changed was too much to be kept: all of it was loaded anew.";
      else this.#came = resumed ? ` It went on where it was: ${changes(missed)} meanwhile.` : "";
      this.#loaded = false;
    });
    this.feed.on("reset", () => {
      this.#loaded = true;
    });
    this.feed.on("state", () => this.#show());
    byId("now").onclick = () => {
      this.feed.open();
      this.feed.wake();
    };
    document.addEventListener("visibilitychange", () => this.#seen());
    this.feed.open();
  }

  /** Lets go of the connection while nobody sees the page, and goes on when somebody does. */
  #seen() {
    clearTimeout(this.#timer);
    if (document.hidden) {
      this.#timer = setTimeout(() => {
        this.#paused = true;
        this.feed.close();
      }, UNSEEN);
    } else {
      this.#paused = false;
      this.feed.open();
      this.feed.wake();
    }
  }

  #show() {
    const { state, code, retryAt } = this.feed.state;
    if (state === "connecting" && !byId("none").hidden) return; // it is looked for again, and may not be there
    const { error } = this.feed;
    const isMissing = error?.code === "unknown_feed" || error?.status === 401; // strangers are not told which there are
    byId("none").hidden = !isMissing;
    byId("now").hidden = state === "live" || state === "connecting" || this.#paused;
    this.#count(state === "reconnecting" ? retryAt : null);
    if (state === "live") this.#say(`Live.${this.#came}`);
    else if (state === "connecting") this.#say("Connecting…");
    else if (state === "reconnecting") this.#say(WAITS[code ?? ""] ?? "The connection is interrupted.");
    else if (!error) this.#say("Paused while nobody sees this tab.");
    else {
      this.#say(isMissing ? "This feed is not there." : (REFUSALS[error.code] ?? error.message));
      clearTimeout(this.#timer);
      if (!document.hidden) this.#timer = setTimeout(() => this.feed.open(), LOOKED_FOR);
    }
  }

  /** Counts down to the next attempt, where no screen reader says each second. @param {number|null} until */
  #count(until) {
    clearInterval(this.#ticking);
    const show = () => {
      const seconds = Math.ceil(((until ?? 0) - Date.now()) / 1000);
      byId("when").textContent = seconds > 1 ? `Next attempt in ${seconds} seconds` : "";
    };
    if (until !== null) this.#ticking = setInterval(show, 1000);
    show();
  }

  /** @param {string} text */
  #say(text) {
    const node = byId("state");
    node.dataset.state = this.#paused ? "paused" : this.feed.state.state;
    if (node.textContent !== text) node.textContent = text;
  }
}

/** @param {number} count */
function changes(count) {
  return count === 1 ? "one change came" : `${count ? count.toLocaleString("en") : "no"} changes came`;
}

/** How long ago a time was, in words. @param {number} milliseconds */
export function age(milliseconds) {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`;
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 60) return `${minutes} min`;
  return minutes < 1440 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`;
}
