/** Changes of messages that are sent: their text, their end, and reactions. */

import { mentionsIn } from "./mentions.js";

/** @typedef {import("./client.js").Message} Message */

/** Every method throws a RequestError if the server refuses. Its answer is shown at once. */
export class Changes {
  #client;
  #store;
  #groups;
  #quotes;

  /**
   * @param {object} parts
   * @param {import("./client.js").ChatClient} parts.client
   * @param {import("./store.js").Store} parts.store
   * @param {import("./groups.js").Groups} parts.groups
   * @param {import("./quotes.js").Quotes} parts.quotes
   */
  constructor({ client, store, groups, quotes }) {
    this.#client = client;
    this.#store = store;
    this.#groups = groups;
    this.#quotes = quotes;
  }

  /** Changes the text of a message, and whom it mentions. @param {Message} message @param {string} text */
  async edit({ conversation_id: id, seq }, text) {
    // A message mentions only those who are members now.
    if (id.startsWith("g:") && text.includes("@")) await this.#groups.loadRoster(id);
    const mentions = mentionsIn(text, this.#groups.mentionable(id));
    this.#apply(await this.#client.messages.edit(id, seq, { text, mentions }));
  }

  /** Deletes a message. @param {Message} message */
  async remove({ conversation_id: id, seq }) {
    this.#apply(await this.#client.messages.remove(id, seq));
  }

  /** Reacts to a message, or takes that reaction back. @param {Message} message @param {string} emoji */
  async toggle(message, emoji) {
    const { conversation_id: id, seq } = message;
    const reacted = await this.#hasReacted(message, emoji);
    const answer = await this.#client.messages[reacted ? "unreact" : "react"](id, seq, emoji);
    this.#quotes.of(id).noteReacted(seq, emoji, !reacted);
    if (!this.#apply(answer)) this.#store.touch(id);
  }

  /** @param {Message} message @param {string} emoji */
  async #hasReacted(message, emoji) {
    const { conversation_id: id, seq, reactions = [] } = message;
    const { user } = this.#store;
    const reaction = reactions.find((one) => one.emoji === emoji);
    if (!reaction) return false;
    if (reaction.count <= reaction.users.length || reaction.users.includes(user)) return reaction.users.includes(user);
    const page = await this.#client.messages.reactions(id, seq, { user });
    return page.reactions.some((one) => one.emoji === emoji);
  }

  /** @param {Message} message */
  #apply(message) {
    this.#quotes.receive(message);
    return this.#store.apply("message.updated", message);
  }
}
