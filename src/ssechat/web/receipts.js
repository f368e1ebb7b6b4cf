/** Up to where the others have read the conversation that is shown, and have it; and what this device has. */

import { Acks } from "./acks.js";
import { isIn } from "./membership.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./progress.js").Receipt} Receipt */

/**
 * Takes over the receipts of a conversation as the server has them; what events have said since is not taken back.
 *
 * @param {Conversation} conversation
 * @param {Receipt[]|null} listed
 */
export function takeReceipts(conversation, listed) {
  const known = new Map(conversation.receipts?.map((receipt) => [receipt.user, receipt]));
  conversation.receipts = listed?.map((receipt) => raised(receipt, known.get(receipt.user))) ?? null;
}

/** @param {Receipt} receipt @param {Pick<Receipt, "read_up_to"|"delivered_up_to">|undefined} by @returns {Receipt} */
function raised(receipt, by) {
  const read_up_to = Math.max(receipt.read_up_to, by?.read_up_to ?? 0);
  return { ...receipt, read_up_to, delivered_up_to: Math.max(receipt.delivered_up_to, by?.delivered_up_to ?? 0) };
}

/** Keeps the receipts of the conversation that is shown, and tells the server what this device has. */
export class Receipts {
  #client;
  #store;
  #attempts;
  /** @type {string|null} the conversation that is shown */
  #shown = null;
  #stale = true;
  #loading = false;
  #listeners = new AbortController();
  #acks;

  /**
   * @param {import("./client.js").ChatClient} client
   * @param {import("./store.js").Store} store
   * @param {import("./attempts.js").Attempts} attempts
   */
  constructor(client, store, attempts) {
    this.#client = client;
    this.#store = store;
    this.#attempts = attempts;
    this.#acks = new Acks(client);
    const { signal } = this.#listeners;
    client.on("message", (message) => this.#sent(message), { signal });
    client.on("member", (event) => this.#membersChanged(event), { signal });
    // What has no id may have been missed; the user may have switched receipts on or off, or blocked somebody.
    for (const type of ["hello", "caught_up", "profile", "block"]) client.on(type, () => this.#missed(), { signal });
    // Of what was empty nothing has been loaded: with the first message there is something.
    store.on("change", (id) => (id === null ? this.#loaded() : this.#load()), { signal });
    client.on("reload", ({ reason }) => this.#missed(reason === "lost"), { signal });
  }

  /** Must be called when a conversation is shown: its receipts are loaded. @param {string|null} id */
  show(id) {
    this.#stale ||= id !== this.#shown;
    this.#shown = id;
    this.#load();
  }

  /** Handles an event `receipt`. For kinds. @param {Receipt & {conversation_id: string}} receipt */
  receive({ conversation_id: id, ...receipt }) {
    if (id === this.#shown) this.#raise(receipt);
  }

  close() {
    this.#listeners.abort();
    this.#acks.close();
  }

  get #conversation() {
    return this.#shown === null ? undefined : this.#store.conversation(this.#shown);
  }

  /** Whether there are others who can have messages of what is shown. */
  get #hasAny() {
    const conversation = this.#conversation;
    if (!conversation || conversation.newest_seq === 0 || !isIn(conversation)) return false;
    return conversation.type === "group" || this.#store.other(conversation) !== null;
  }

  /** @param {Receipt} by */
  #raise(by) {
    const conversation = this.#conversation;
    if (!conversation) return;
    const receipts = conversation.receipts ?? [];
    const known = receipts.find(({ user }) => user === by.user);
    if (!known) {
      this.#missed();
      return;
    }
    conversation.receipts = receipts.map((receipt) => (receipt === known ? raised(receipt, by) : receipt));
    this.#store.touch(conversation.id);
  }

  /** @param {import("./client.js").Message} message a new one */
  #sent({ conversation_id: id, sender, seq }) {
    if (sender !== this.#store.user) this.#acks.soon();
    if (id !== this.#shown || !this.#conversation?.receipts?.some(({ user }) => user === sender)) return;
    this.#raise({ user: sender, read_up_to: seq, delivered_up_to: seq });
  }

  /** @param {import("./membership.js").MemberEvent} event */
  #membersChanged({ conversation_id: id, users, left, name }) {
    const conversation = this.#conversation;
    if (id !== conversation?.id) return;
    const named = users.map(({ user }) => user);
    if (left && conversation.receipts) {
      conversation.receipts = conversation.receipts.filter(({ user }) => !named.includes(user));
      this.#store.touch(id);
    }
    if (name !== undefined || left) this.#missed(); // only the server knows what those have who join
  }

  /** What was so may not be so any more. @param {boolean} [lost] whether the server has lost history */
  #missed(lost = false) {
    const conversation = this.#conversation;
    if (lost && conversation) conversation.receipts = null;
    this.#stale = true;
    this.#load();
  }

  async #load() {
    if (this.#loading) return;
    this.#loading = true;
    while (this.#stale && this.#hasAny && this.#attempts.open) {
      this.#stale = false;
      await this.#fetch(/** @type {string} */ (this.#shown));
    }
    this.#loading = false;
  }

  /** @param {string} id */
  async #fetch(id) {
    try {
      const answer = await this.#attempts.persist(() => this.#client.conversations.get(id));
      if (!answer) return;
      takeReceipts(this.#store.ensure(id), answer.receipts ?? null);
      this.#store.touch(id);
    } catch {
      // refused: there is no such conversation, or the user is not in it any more
    }
  }

  /** The conversations were loaded: this device has what was written while it was away. */
  #loaded() {
    const { conversations, error } = this.#store;
    if (!error && conversations.some(({ newest_seq, read_up_to }) => newest_seq > (read_up_to ?? newest_seq))) {
      this.#acks.soon();
    }
  }
}
