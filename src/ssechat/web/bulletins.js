/** What the server's operators tell everybody: the newest event of the feed that the server names as its banner. */

import { Emitter } from "./emitter.js";
import { requestError } from "./http.js";
import { isHidden, watchPage } from "./platform.js";
import { storage } from "./storage.js";

/**
 * Milliseconds between two questions. It is asked for, and not streamed: a stream a browser more, for what changes once
 * a week, costs more than an answer without a body (304) once a minute.
 */
const PERIOD = 60_000;

/** Milliseconds until it is asked again for a feed that is not there, or not for this user. */
const REFUSED = 600_000;

/** Characters that are shown. */
const LONGEST = 500;

/** The storage key of the event that somebody has seen and put away, on this device. */
export const DISMISSED = "ssechat:bulletin";

/** @typedef {{id: string, text: string, link: string|null}} Bulletin */

/** @extends {Emitter<{change: Bulletin|null}>} */
export class Bulletins extends Emitter {
  #http;
  #path;
  #closing = new AbortController();
  /** @type {Bulletin|null} */
  #newest = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #dueAt = 0;
  #asking = false;

  /** @param {Pick<import("./http.js").Http, "request">} http @param {string} feed its name */
  constructor(http, feed) {
    super();
    this.#http = http;
    this.#path = `/v1/feeds/${encodeURIComponent(feed)}`;
  }

  /** What is to be shown, or null. @returns {Bulletin|null} */
  get current() {
    return this.#newest?.id === storage.get(DISMISSED) ? null : this.#newest;
  }

  /** Asks now, and then once a minute while the page can be seen. */
  start() {
    const { signal } = this.#closing;
    watchPage(signal, { returned: () => this.#ask(), hidden: () => {}, shown: () => this.#ask() });
    globalThis.window?.addEventListener("storage", ({ key }) => key === DISMISSED && this.#emitChange(), { signal });
    this.#ask();
  }

  /** Puts away what is shown: it does not come again on this device, but the next one does. */
  dismiss() {
    if (this.#newest) storage.set(DISMISSED, this.#newest.id);
    this.#emitChange();
  }

  close() {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  #emitChange() {
    this.emit("change", this.current);
  }

  async #ask() {
    if (this.#asking || isHidden() || Date.now() < this.#dueAt) return;
    this.#asking = true;
    let pause = PERIOD;
    try {
      // The browser has the last answer, and asks with its entity tag.
      this.#newest = bulletinOf(await this.#http.request("GET", this.#path, { query: { last: 1 }, cache: "no-cache" }));
    } catch (thrown) {
      const { temporary, retryAfter } = requestError(thrown);
      if (!temporary) this.#newest = null;
      pause = temporary ? Math.max(PERIOD, retryAfter ?? 0) : REFUSED;
    }
    this.#asking = false;
    if (this.#closing.signal.aborted) return;
    pause *= 1 + Math.random() / 10; // not all at once
    this.#dueAt = Date.now() + pause;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), pause + 1);
    this.#emitChange();
  }
}

/**
 * What the newest event says: a text, or `{"text", "link"?}`. An empty text, or none, takes the one before away.
 *
 * @param {{events: import("./feeds.js").FeedEvent[]}} feed as its JSON has it
 * @returns {Bulletin|null}
 */
export function bulletinOf({ events }) {
  const { id = "", data = null } = events.at(-1) ?? {};
  const { text = data, link = null } = data && typeof data === "object" ? data : {};
  if (typeof text !== "string" || !text.trim()) return null;
  const shown = text.trim();
  return { id, text: shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown, link: safeLink(link) };
}

/** A link that only leads to another page. @param {unknown} link */
function safeLink(link) {
  if (typeof link !== "string" || !URL.canParse(link)) return null;
  const { protocol, href } = new URL(link);
  return protocol === "https:" || protocol === "http:" ? href : null;
}
