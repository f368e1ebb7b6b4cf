/** How the page begins: what the server is like, and who is signed in. */

import { Chat } from "./chat.js";
import { backOff, requestError } from "./http.js";
import { lastKnown } from "./keeping.js";
import { SseChat } from "./ssechat.js";
import { tabToken } from "./tab_storage.js";
import { say, sayProblem } from "./texts/language.js";

/** @typedef {import("./client.js").Facts} Server */

/**
 * What has been found out: who is signed in, or null, and why somebody is not any more.
 *
 * @typedef {{user: string|null, note: string}} Found
 */

/** Milliseconds after which what is kept of the server is taken in place of an answer that does not come. */
const PATIENCE = 500;

export class Opening {
  #token = tabToken.get();
  #known = this.#token ? null : lastKnown.get();
  /** What asks. While the server does not answer, its `chat` is that of who was signed in when it last did. */
  sseChat = new SseChat({ Chat, token: this.#token });
  /** @type {Server|null} */
  server = null;

  /**
   * Asks until the server answers; null if the user has left meanwhile.
   *
   * @param {(trouble: string) => void} report
   * @returns {Promise<Found|null>}
   */
  async run(report) {
    for (let failures = 0; ; ) {
      try {
        return await this.#ask();
      } catch (thrown) {
        const error = requestError(thrown);
        if (error.status === 401 && this.server) return this.#refused();
        if (error.name === "AbortError") return null;
        report(error.temporary ? say("unreachable_trying") : sayProblem(error));
        const delay = Math.max(backOff(Math.min(++failures, 3)), error.retryAfter ?? 0);
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }

  /** @returns {Promise<Found>} */
  async #ask() {
    const { sseChat: library } = this;
    this.server ??= await soon(library.client.server(), this.#known?.server);
    library.server = this.server;
    const { user } = await library.start({ known: this.#known?.user ?? null });
    if (!this.#token) this.#keep(user, this.server);
    return { user, note: "" };
  }

  /** @returns {Found} */
  #refused() {
    if (!this.#token) lastKnown.forget();
    tabToken.set(null);
    return { user: null, note: this.#token ? say("token_ended") : "" };
  }

  /** @param {string} user @param {Server} server */
  async #keep(user, server) {
    lastKnown.set({ user, server });
    if (server !== this.#known?.server) return;
    try {
      const now = await this.sseChat.client.server(); // what is kept may be of long ago
      if (lastKnown.get()?.user === user) lastKnown.set({ user, server: now });
    } catch {
      // the next time, then
    }
  }
}

/**
 * The server's answer; what is kept, if there is something, and the server can't be reached or does not answer soon.
 *
 * @template Answer
 * @param {Promise<Answer>} asked
 * @param {Answer|undefined} kept
 * @returns {Promise<Answer>}
 */
async function soon(asked, kept) {
  if (kept === undefined) return asked;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, kept));
  try {
    return await Promise.race([asked, late]);
  } catch (thrown) {
    if (!requestError(thrown).temporary) throw thrown;
    return kept;
  }
}
