/**
 * Everything that a page or a program needs to chat, in one class:
 *
 *     import { SseChat } from "https://chat.example.com/ssechat.js";
 *     const chat = new SseChat({ url: "https://chat.example.com", token: () => tokenOfMyBackend() });
 *     chat.addEventListener("message", ({ detail }) => show(detail.sender, detail.text));
 *     await chat.start();
 *     await chat.send({ to: "bob", text: "hi" });
 */

import { Awaited } from "./awaited.js";
import { BaseChat } from "./base_chat.js";
import { summary } from "./conversation.js";
import { Emitter } from "./emitter.js";
import { aborted, backOff, RequestError, requestError, signedOut } from "./http.js";
import { directConversationId, newMessageId } from "./ids.js";
import { dataOf, iterate } from "./iterate.js";
import { KINDS } from "./kinds.js";
import { watchPage } from "./platform.js";
import { isSame } from "./state.js";
import { SIGNED_IN, storage } from "./storage.js";
import { Waits } from "./waits.js";

export { RequestError };

/** @typedef {import("./client.js").Message} Message */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./stream.js").StreamEvent} StreamEvent */
/** @typedef {import("./state.js").State} State */

/**
 * @typedef {object} NewMessage
 * @property {string} [to] a user, for a direct message; or else:
 * @property {string} [conversation_id]
 * @property {string} text
 * @property {number} [reply_to] the seq of the message that it answers
 * @property {string[]} [mentions] members
 * @property {object} [data] the application's own
 * @property {string} [client_msg_id] a name for it that is never used again: a program that was killed can send the
 *   message again with it, and it is sent once
 */

/**
 * The details of the events, by their names.
 *
 * @typedef {{state: State, change: string|null, event: StreamEvent, conversation: import("./membership.js").Facts,
 *   member: import("./membership.js").MemberEvent, mark: import("./marks.js").Mark,
 *   typing: import("./typing.js").Told} & Record<"message"|"message.updated"|"message.deleted", Message>} Events
 */

/** Milliseconds after which who was signed in before is shown what is kept, if the server does not answer. */
const PATIENCE = 1_500;

/** The messages of a conversation that is not known: one list, so that who compares sees no change. */
const NOTHING = Object.freeze(/** @type {Message[]} */ ([]));

/**
 * One user of one server. In a browser all tabs share one stream; what is unsent outlives the tab.
 *
 * Events, each with a `detail`: `state` (a State); the stream's events by their names (`message`, `message.updated`,
 * `member` …: the data of the event); `change`: a conversation's id, or null when any may have changed.
 *
 * Whatever fails, fails with a RequestError, whose `code` is the server's; `unreachable` if there was no answer.
 *
 * @template {BaseChat} [User=BaseChat]
 * @extends {Emitter<Events>}
 */
export class SseChat extends Emitter {
  /** @type {State} */
  #state = { state: "closed", retryAt: null, code: null };
  #listeners = new AbortController();
  /** Ends the loops over events. */
  #ending = new AbortController();
  #waits = new Waits();
  #awaited = new Awaited();
  #Chat;
  /** @type {User|null} conversations, messages and outbox of the signed-in user; null while there is none */
  chat = null;

  /**
   * @param {object} options
   * @param {string} [options.url] the server's, empty for the page's own
   * @param {string|null|import("./http.js").TokenSource} [options.token] a bearer token, or a function that gives one
   *   and is called again when it has ended; without it, the session cookie is used, or `signIn`
   * @param {string|null} [options.cursor] the id of the last event of an earlier run, to get all events since then
   * @param {import("./kinds.js").Kinds} [options.kinds]
   * @param {Partial<import("./client.js").Facts>} [options.server] what is known of the server
   * @param {import("./base_chat.js").Kind<User>} [options.Chat] the class of `chat`: that of `ssechat/chat` has,
   *   too, what an app shows besides messages
   */
  constructor({ url = "", token = null, cursor = null, kinds = KINDS, server = {}, Chat } = {}) {
    super();
    this.#Chat = Chat ?? /** @type {import("./base_chat.js").Kind<any>} */ (BaseChat);
    /** What is known of the server, as `client.server()` has it. */
    this.server = server;
    /** The server's HTTP interface as methods. */
    this.client = new this.#Chat.Client({ base: url, token, cursor, kinds });
  }

  /** The signed-in user's id, or null. @returns {string|null} */
  get user() {
    return this.chat?.user ?? null;
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** The id of the last event; from it a later run can go on. */
  get cursor() {
    return this.client.cursor;
  }

  /**
   * Finds out who is signed in, by the token or the cookie, and opens the stream. It is tried until the server answers.
   *
   * @param {object} options
   * @param {AbortSignal} [options.signal]
   * @param {string|null} [options.known] who was signed in here before: if the server does not answer now, `chat` shows
   *   what this user has not sent, and takes more, until it is known who is signed in
   * @returns {Promise<{user: string}>}
   * @throws {RequestError} 401 if nobody is signed in
   */
  async start({ signal, known = null } = {}) {
    const closing = this.#ending.signal;
    const signals = signal ? [closing, signal] : [closing];
    for (const one of signals) one.throwIfAborted();
    const ended = Promise.race(signals.map(aborted));
    ended.catch(() => {}); // it may end when nobody waits
    this.#set("connecting");
    const patience = known === null ? undefined : setTimeout(() => this.#prepare(known), PATIENCE);
    try {
      return this.#enter(await this.#session(ended, known));
    } catch (error) {
      this.#waits.wake();
      const { status, code } = requestError(error);
      // Also what runs already, as somebody else may have signed in.
      if (status === 401) this.client.http.leave();
      if (status === 401 || this.chat?.started === false) this.#stop();
      if (!closing.aborted) this.#set(status === 401 ? "signed_out" : "closed", null, status ? code : null);
      throw error;
    } finally {
      clearTimeout(patience);
    }
  }

  /** Shows what is kept of a user who was signed in, while the server does not say who is. @param {string} user */
  #prepare(user) {
    if (this.chat) return;
    this.#open(user);
    this.#set("reconnecting");
  }

  /** Asks who is signed in, until the server answers. @param {Promise<never>} ended @param {string|null} known */
  async #session(ended, known) {
    for (let failures = 0; ; ) {
      try {
        return await Promise.race([this.client.session(), ended]);
      } catch (thrown) {
        const error = requestError(thrown);
        if (!error.temporary) throw error;
        if (known !== null) this.#prepare(known);
        const pause = Math.max(backOff(++failures), error.retryAfter ?? 0);
        this.#set("reconnecting", Date.now() + pause, error.code);
        await Promise.race([this.#waits.sleep(pause, null), ended]);
      }
    }
  }

  /** Creates an account, signs in and starts. @param {string} name @param {string} password */
  async signUp(name, password) {
    return this.#enter(await this.client.account.signUp(name, password));
  }

  /**
   * Signs in and starts. On the server's own pages the cookie keeps that over a reload; elsewhere the `token` of the
   * answer counts, as long as this object lives.
   *
   * @param {string} name
   * @param {string} password
   * @returns {Promise<{token: string, user: string}>}
   */
  async signIn(name, password) {
    return this.#enter(await this.client.account.signIn(name, password));
  }

  /** Signs out on the server, forgets what is unsent, and closes. A token of another system stays valid. */
  async signOut() {
    const { chat } = this; // a 401 on the way takes it away
    const { withToken } = this.client;
    try {
      await this.client.signOut();
    } catch (thrown) {
      const { status, code } = requestError(thrown);
      if (status !== 401 && code !== "no_session") throw thrown;
    }
    chat?.forget();
    if (!withToken) storage.remove(SIGNED_IN); // before the stream: the other tabs must not take that over
    this.close();
    this.client.forget();
    this.#set("signed_out");
  }

  /** Closes the stream and ends all work and all loops; what is unsent stays for the next time. */
  close() {
    this.#ending.abort();
    this.#ending = new AbortController();
    this.#stop();
    this.client.http.leave();
    this.#set("closed");
  }

  #stop() {
    this.#listeners.abort();
    this.#listeners = new AbortController();
    this.chat?.close();
    this.chat = null;
    this.#waits.wake();
    this.#awaited.rejectAll(new RequestError(0, { code: "closed", detail: "Closed." }));
  }

  /**
   * Sends a message, as soon as the server can be reached: it is kept until then, over reloads, and sent once.
   *
   * @param {NewMessage} message
   * @param {{signal?: AbortSignal}} options the signal takes it back, unless it is sent already
   * @returns {Promise<Message>} as the server has it
   * @throws {RequestError} if the server refuses it
   */
  async send({ to, conversation_id, client_msg_id: name = newMessageId(), ...content }, { signal } = {}) {
    signal?.throwIfAborted();
    const chat = this.#signedIn();
    const id = to === undefined ? conversation_id : directConversationId(chat.user, to);
    if (id === undefined) throw new TypeError("A message has `to` or `conversation_id`.");
    const { outbox } = chat;
    const { client_msg_id } = outbox.add({ client_msg_id: name, to, conversation_id: id, ...content });
    const sent = this.#awaited.wait(client_msg_id, id);
    const taken = () => {
      this.#awaited.reject(client_msg_id, signal?.reason);
      outbox.remove(client_msg_id);
    };
    signal?.addEventListener("abort", taken, { once: true });
    return sent.finally(() => signal?.removeEventListener("abort", taken));
  }

  /**
   * The events of the stream from now on. The loop ends when the signal is aborted, or when this is closed or signed
   * out: `state` tells.
   *
   *     for await (const { type, data, id } of chat.events()) …
   *
   * @param {{signal?: AbortSignal|undefined, types?: string[]}} options `types`: only events of these names
   * @returns {AsyncGenerator<StreamEvent, void, void>}
   */
  events({ signal, types } = {}) {
    const signals = signal ? [signal, this.#ending.signal] : [this.#ending.signal];
    return iterate(this, "event", { signals, wanted: ({ type }) => !types || types.includes(type) });
  }

  /**
   * New messages from now on, one's own too.
   *
   * @param {{signal?: AbortSignal}} options
   * @returns {AsyncGenerator<Message, void, void>}
   */
  messages({ signal } = {}) {
    return dataOf(this.events({ signal, types: ["message"] }));
  }

  /** The conversations, the latest first. */
  get conversations() {
    const { chat } = this;
    if (!chat) return [];
    return chat.list.map(({ conversation }) => ({
      ...summary(conversation),
      title: chat.store.title(conversation),
      unread: chat.unread(conversation),
      mentioned: chat.mentioned(conversation),
    }));
  }

  /** The number of unread messages in all conversations that are not muted. */
  get unread() {
    return this.chat?.unreadTotal ?? 0;
  }

  /** The id of the conversation with a user. @param {string} user */
  direct(user) {
    return this.#signedIn().direct(user);
  }

  /** Loads a conversation, and keeps it loaded until another one is shown. @param {string|null} id */
  show(id) {
    this.#signedIn().openConversation(id);
  }

  /**
   * The loaded messages of a conversation, in order; another array whenever they have changed.
   *
   * @param {string} id
   * @returns {readonly Message[]}
   */
  history(id) {
    return this.chat?.store.conversation(id)?.thread.messages ?? NOTHING;
  }

  /** Loads older messages of the conversation that is shown. */
  async older() {
    const { openId, threads } = this.#signedIn();
    if (openId !== null) await threads.older(openId);
  }

  /** Marks a conversation as read, on all of the user's devices. @param {string} id */
  markRead(id) {
    this.#signedIn().markRead(id);
  }

  #signedIn() {
    if (!this.chat) throw signedOut();
    return this.chat;
  }

  /**
   * Begins a user's session; what has been prepared for that user goes on.
   *
   * @template {{user: string}} Answer
   * @param {Answer} answer
   */
  #enter(answer) {
    const { user } = answer;
    const prepared = this.chat?.started === false && this.chat.user === user ? this.chat : null;
    this.client.user = user;
    if (!this.client.withToken) storage.set(SIGNED_IN, user);
    (prepared ?? this.#open(user)).start();
    return answer;
  }

  /** @param {string} user */
  #open(user) {
    this.#stop();
    const { signal } = this.#listeners;
    const chat = new this.#Chat(this.client, user, this.server);
    this.chat = chat;
    /** @type {BaseChat} */
    const base = chat;
    this.client.on(
      "event",
      (event) => {
        this.emit(/** @type {keyof Events} */ (event.type), event.data);
        this.emit("event", event);
      },
      { signal },
    );
    this.client.on("retry", (at) => this.#set("reconnecting", at, this.#state.code), { signal });
    base.on(
      "status",
      (status) => {
        if (status === "crowded") this.#set("reconnecting", null, "too_many");
        else this.#set(/** @type {State["state"]} */ (status));
      },
      { signal },
    );
    base.on(
      "unauthorized",
      () => {
        this.close();
        this.#set("signed_out");
      },
      { signal },
    );
    base.on(
      "change",
      (id) => {
        this.#awaited.changed(chat, id);
        this.emit("change", id);
      },
      { signal },
    );
    base.outbox.on("sent", (message) => this.#awaited.resolve(message), { signal });
    this.client.on("message", (message) => message.sender === user && this.#awaited.resolve(message), { signal });
    watchPage(signal, {
      returned: () => this.wake(),
      hidden: () => this.client.close(),
      shown: () => chat.resume(),
    });
    return chat;
  }

  /** Tries at once what waits for its next attempt: the network may be back. */
  wake() {
    this.#waits.wake();
    this.chat?.wake();
  }

  /** @param {State["state"]} state @param {number|null} retryAt @param {string|null} code */
  #set(state, retryAt = null, code = null) {
    const now = { state, retryAt, code };
    if (isSame(now, this.#state)) return;
    this.#state = now;
    this.emit("state", now);
  }
}
