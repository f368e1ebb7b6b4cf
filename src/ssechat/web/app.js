/** The page: the signed-in user, the open conversation, and the browser's events. */

import { Chat } from "./chat.js";
import { badge } from "./format.js";
import { requestError } from "./http.js";
import { groupOfSecret } from "./ids.js";
import { KNOWN, keepPage, lastKnown } from "./keeping.js";
import { isIn } from "./membership.js";
import { Opening } from "./opening.js";
import { routeOf } from "./route.js";
import { RequestError, SseChat } from "./ssechat.js";
import { SIGNED_IN, storage } from "./storage.js";
import { invitation, tabToken } from "./tab_storage.js";
import { LANGUAGE, say, sayCount, sayProblem } from "./texts/language.js";
import { Banner } from "./views/banner.js";
import { BulletinView } from "./views/bulletin.js";
import { ConversationView } from "./views/conversation.js";
import { ConversationList } from "./views/conversation_list.js";
import { nameOf } from "./views/conversation_summary.js";
import { ask, closeDialogs } from "./views/dialog.js";
import { announce, coalesce, el, isWatched, logo } from "./views/dom.js";
import { askToJoin } from "./views/join.js";
import { leaveConversation, openDetails, openRoute, takeSecret } from "./views/navigation.js";
import { openNewGroup } from "./views/new_group.js";
import { Notices } from "./views/notices.js";
import { openSettings } from "./views/settings.js";
import { SignInView } from "./views/sign_in.js";
import { Sound } from "./views/sound.js";
import { openSwitcher } from "./views/switcher.js";
import { trying } from "./views/toast.js";
import { loadLanguage, translate } from "./views/translation.js";
import { followKeyboard } from "./views/viewport.js";
import { Watched } from "./views/watched.js";
import { welcome } from "./views/welcome.js";

/** @typedef {Awaited<ReturnType<SseChat["client"]["server"]>>} Server */

/**
 * The views of a signed-in user.
 *
 * @typedef {object} Shown
 * @property {import("./chat.js").Chat} chat
 * @property {Watched} watched
 * @property {Sound} sound
 * @property {ConversationList} list
 * @property {Banner} banner
 * @property {Notices} notices
 * @property {HTMLElement} layout
 * @property {ConversationView|null} view the open conversation
 */

class App {
  #root = document.querySelector("#app") ?? document.body;
  #library = new SseChat({ Chat });
  #bulletin = new BulletinView();
  /** @type {Server|null} */
  #server = null;
  /** @type {Shown|null} */
  #shown = null;
  /** @type {HTMLDialogElement|null} asks about an invitation */
  #inviting = null;
  /** Whether the sign-in form is shown. */
  #asks = false;
  /** Whether the cookie says who is signed in in this tab, and no token. */
  #byCookie = true;
  #updateTitle = coalesce(() => this.#showTitle());

  /** Shows the conversations of who is signed in, or the sign-in form; and has the browser keep the page. */
  async start() {
    this.#listen();
    this.#takeSecret();
    await loadLanguage();
    const splash = el("p", { className: "loading", textContent: say("loading") });
    const heading = el("h1", { className: "hidden", textContent: "ssechat" });
    this.#root.replaceChildren(el("main", { className: "splash" }, heading, logo(), splash));
    const opening = new Opening();
    const opened = new AbortController();
    const { sseChat: library } = opening;
    this.#library = library;
    this.#byCookie = !library.client.withToken;
    const prepared = () => {
      this.#server = opening.server;
      if (!this.#shown) this.#enter();
    };
    library.on("state", prepared, { signal: opened.signal });
    const found = await opening.run((trouble) => {
      splash.textContent = trouble;
    });
    opened.abort();
    this.#server = opening.server;
    if (found?.user === null) this.#refuse(found.note);
    else if (found && !this.#shown) this.#enter();
    else if (found && this.#shown?.chat !== library.chat) location.reload(); // somebody else is signed in now
    await keepPage();
  }

  /** @param {string} note */
  #refuse(note) {
    if (this.#shown) this.#leave(say("session_ended"));
    else if (this.#server) this.#showSignIn(this.#server, note);
  }

  /** @param {Server} server @param {string} note @param {boolean} known whether a user was signed in here before */
  #showSignIn(server, note, known = storage.get(SIGNED_IN) !== null || note !== "") {
    const invited = invitation.get() && say(server.sign_in && server.sign_up ? "invited_sign_up" : "invited_sign_in");
    const entered = (/** @type {"signUp"|"signIn"} */ method) => {
      return async (/** @type {string} */ name, /** @type {string} */ password) => {
        const library = new SseChat({ Chat, server });
        await library[method](name, password);
        this.#library = library;
        this.#byCookie = true;
        if (library.user) lastKnown.set({ user: library.user, server });
        this.#enter();
      };
    };
    const view = new SignInView({
      server,
      note: note || invited || "",
      known,
      signUp: entered("signUp"),
      signIn: entered("signIn"),
      useToken: (token) => this.#useToken(token),
    });
    this.#asks = true;
    this.#bulletin.follow(server.banner ?? "", this.#library.client.http);
    this.#root.replaceChildren(this.#bulletin.node, view.node);
    document.title = "ssechat";
    view.focus();
  }

  /** @param {string} token */
  async #useToken(token) {
    const library = new SseChat({ Chat, token, server: this.#server ?? {} });
    try {
      await library.client.session();
      await library.start();
      tabToken.set(token);
      this.#library = library;
      this.#byCookie = false;
      this.#enter();
    } catch (thrown) {
      if (requestError(thrown).status !== 401) throw thrown;
      throw new RequestError(401, { code: requestError(thrown).code, detail: say("token_wrong") });
    }
  }

  /** Shows what the signed-in user has. */
  #enter() {
    const { chat } = this.#library;
    if (!chat) return;
    const watched = new Watched(chat.user);
    const sound = new Sound(chat.user, (id) => watched.sees(id));
    const shown = this.#draw(chat, watched, sound);
    chat.on("change", (id) => this.#changed(id));
    chat.on("status", () => this.#showStatus());
    chat.on("arrived", (message) => this.#arrived(message));
    chat.on("unauthorized", () => this.#leave(say("session_ended")));
    if (document.activeElement === document.body) (shown.view ?? shown.list).focus();
  }

  /**
   * Draws what the signed-in user has.
   *
   * @param {import("./chat.js").Chat} chat
   * @param {Watched} watched
   * @param {Sound} sound
   */
  #draw(chat, watched, sound) {
    const list = new ConversationList(chat, {
      onOpen: (id) => this.#open(id),
      onNewGroup: () => openNewGroup(chat, (id) => this.#open(id)),
      onSettings: () => this.#openSettings(chat, sound),
      onSignOut: () => this.#signOut(),
    });
    const banner = new Banner(() => this.#library.wake());
    const layout = el("div", { className: "layout" }, list.node);
    const notices = new Notices(chat, watched, (id) => this.#open(id));
    const shown = { chat, watched, sound, list, banner, notices, layout, view: null };
    this.#shown = shown;
    this.#asks = false;
    this.#bulletin.follow(this.#server?.banner ?? "", this.#library.client.http);
    this.#root.replaceChildren(banner.node, this.#bulletin.node, notices.node, layout);
    this.#route();
    this.#showStatus();
    return /** @type {Shown} */ (shown);
  }

  /** @param {import("./chat.js").Chat} chat @param {Sound} sound */
  #openSettings(chat, sound) {
    const onLanguage = async () => {
      const done = await this.#translate();
      if (done) this.#openSettings(chat, sound).querySelector("select")?.focus();
      return done;
    };
    return openSettings(chat, { sound, onLanguage });
  }

  /** Shows the page in the language that is wanted by now. @returns {Promise<boolean>} whether that could be done */
  #translate() {
    return translate(() => {
      if (this.#shown) {
        const { chat, watched, sound, list, view } = this.#shown;
        const edit = view?.edit;
        view?.close();
        list.close();
        const { view: now } = this.#draw(chat, watched, sound);
        if (edit) now?.goOn(edit);
      } else if (this.#server) {
        this.#showSignIn(this.#server, "");
      }
    });
  }

  /** Shows the sign-in form again. @param {string} note */
  #leave(note) {
    if (!this.#shown || !this.#server) return;
    this.#inviting = null; // who signs in again is asked again
    closeDialogs();
    this.#shown.view?.close();
    this.#shown.watched.close();
    this.#shown.sound.close();
    if (this.#byCookie) lastKnown.forget(this.#shown.chat.user);
    this.#library.close();
    this.#shown = null;
    tabToken.set(null);
    this.#library = new SseChat({ Chat });
    this.#showSignIn(this.#server, note, true);
    this.#look();
  }

  /** Shows what another tab's sign-in gives, if it has not been heard of: the cookie is of this tab, too. */
  #look() {
    if (this.#asks && this.#byCookie && lastKnown.get()) location.reload();
  }

  /** Signs out, after a question if something would be lost. */
  async #signOut() {
    const chat = this.#shown?.chat;
    if (!chat) return;
    const unsent = chat.outbox.all.length;
    const run = () => this.#endSession(chat);
    if (unsent) {
      ask({ title: say("sign_out_discard"), text: sayCount("unsent", unsent), action: say("sign_out"), run });
      return;
    }
    await trying(run);
  }

  /** @param {import("./chat.js").Chat} chat */
  async #endSession(chat) {
    try {
      await this.#library.signOut();
    } catch (thrown) {
      if (chat.started && this.#library.chat === chat) chat.client.open();
      throw new Error(say("still_signed_in", { problem: sayProblem(thrown) }));
    }
    location.hash = "";
    this.#leave("");
  }

  /** @param {string} id of a conversation */
  #open(id) {
    openRoute(id, this.#shown?.chat.openId === null);
    this.#route();
    this.#shown?.view?.focus();
  }

  /** Shows the list or the conversation that the URL names. */
  #route() {
    this.#takeSecret();
    const shown = this.#shown;
    if (!shown) return;
    const { id, details } = routeOf(location.hash, shown.chat.user);
    if (!shown.view || id !== shown.chat.openId) this.#showConversation(shown, id);
    shown.view?.showDetails(details);
    const panel = shown.view?.panel ?? null;
    shown.layout.classList.toggle("detailed", panel !== null);
    for (const other of shown.layout.querySelectorAll(".panel")) if (other !== panel) other.remove();
    if (panel && !panel.isConnected) {
      shown.layout.append(panel);
      panel.querySelector("h2")?.focus();
    }
  }

  /** @param {Shown} shown @param {string|null} id */
  #showConversation(shown, id) {
    const { chat, watched, list, layout } = shown;
    const before = chat.openId;
    shown.view?.close();
    chat.openConversation(id);
    watched.show(id);
    const options = {
      onBack: () => leaveConversation(() => this.#route()),
      onDetails: (/** @type {boolean} */ wanted) => {
        if (id !== null) openDetails(id, wanted, () => this.#route());
      },
    };
    shown.view = id === null ? null : new ConversationView(chat, id, options);
    layout.replaceChildren(list.node, shown.view?.node ?? welcome());
    layout.classList.toggle("reading", id !== null);
    list.select(id);
    this.#updateTitle();
    if (id !== null || before === null) return;
    /** @type {HTMLElement|null} */
    const row = list.node.querySelector(`[data-id="${CSS.escape(before)}"]`);
    row?.focus();
  }

  /** Takes the secret of an invitation out of the URL, where others might see it. */
  #takeSecret() {
    const secret = takeSecret();
    if (secret === null) return;
    invitation.set(secret);
    this.#inviting = null;
    if (this.#shown) this.#invite();
    else if (this.#server) this.#showSignIn(this.#server, "");
  }

  /** Asks whether the user wants to join, once it is known of which groups the user is a member. */
  #invite() {
    const chat = this.#shown?.chat;
    const secret = invitation.get();
    if (!chat?.store.loaded || secret === null || this.#inviting) return;
    const group = chat.store.conversation(groupOfSecret(secret));
    if (group?.role && isIn(group)) {
      invitation.set(null);
      this.#open(group.id);
      return;
    }
    const dialog = askToJoin(chat, secret, (id) => this.#open(id));
    this.#inviting = dialog;
    dialog.addEventListener("close", () => {
      if (this.#inviting !== dialog) return; // it was not the user who has closed it
      this.#inviting = null;
      invitation.set(null);
    });
  }

  /** @param {string|null} id of a conversation, or null when any may have changed */
  #changed(id) {
    const shown = this.#shown;
    if (!shown) return;
    // The view first: what it shows it marks as read, before the list counts what is unread.
    if (id === null || id === shown.chat.openId) shown.view?.update();
    shown.list.update();
    this.#invite();
    this.#updateTitle();
  }

  /** @param {import("./client.js").Message} message */
  #arrived(message) {
    const shown = this.#shown;
    shown?.notices.arrived(message);
    shown?.sound.arrived(message);
    if (shown?.view && message.conversation_id === shown.chat.openId) shown.view.arrived(message);
    else if (shown) announce(newMessage(message, shown.chat.store.ensure(message.conversation_id)));
  }

  #showStatus() {
    if (!this.#shown) return;
    const { status } = this.#shown.chat;
    document.documentElement.dataset.status = status;
    this.#shown.banner.update({ status, online: navigator.onLine });
  }

  #showTitle() {
    if (!this.#shown) return;
    const { openId, store, unreadTotal } = this.#shown.chat;
    const open = openId === null ? "" : `${nameOf(store, store.ensure(openId))} · `;
    document.title = `${unreadTotal ? `(${badge(unreadTotal)}) ` : ""}${open}ssechat`;
  }

  /** Ctrl+K and Ctrl+F, wherever the focus is; in a dialog they are the browser's. @param {KeyboardEvent} event */
  #key(event) {
    const { key, ctrlKey, metaKey, shiftKey, altKey } = event;
    const shown = this.#shown;
    if (!shown || ctrlKey === metaKey || shiftKey || altKey || document.querySelector("dialog[open]")) return;
    if (key.toLowerCase() === "k") openSwitcher(shown.chat, (id) => this.#open(id));
    else if (key.toLowerCase() !== "f" || !shown.view?.search()) return;
    event.preventDefault();
  }

  #listen() {
    document.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("popstate", () => {
      closeDialogs();
      this.#route();
    });
    window.addEventListener("hashchange", () => this.#route());
    window.addEventListener("online", () => this.#returned());
    window.addEventListener("offline", () => this.#showStatus());
    window.addEventListener("focus", () => this.#shown?.view?.seen());
    document.addEventListener("visibilitychange", () => document.hidden || this.#returned());
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#returned());
    // Another tab signed in or out: the cookie is that user's now.
    window.addEventListener("storage", ({ key, newValue }) => {
      if (key === LANGUAGE) this.#translate();
      if (key === KNOWN) this.#look(); // also if the same user has signed in again
      const user = this.#shown?.chat.user ?? null;
      if (key !== SIGNED_IN || this.#library.client.withToken || newValue === user) return;
      if (newValue === null) this.#leave(say("signed_out_elsewhere"));
      else location.reload();
    });
    followKeyboard();
  }

  /** Called when the network is back or the page has become visible. */
  #returned() {
    this.#look();
    this.#showStatus();
    if (isWatched()) this.#shown?.view?.seen();
  }
}

/** @param {import("./client.js").Message} message @param {import("./conversation.js").Conversation} conversation */
function newMessage({ sender: user }, { type, name: group }) {
  return type === "group" && group ? say("new_message_in", { user, group }) : say("new_message_from", { user });
}

new App().start();
