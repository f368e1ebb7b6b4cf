/** The page: who is signed in, which conversation is open, and what the browser tells us of the world. */

import { Chat, SIGNED_IN } from "./chat.js";
import { ChatClient, RequestError, directConversationId } from "./client.js";
import { backOff } from "./http.js";
import { storage } from "./storage.js";
import { Banner } from "./views/banner.js";
import { ConversationView } from "./views/conversation.js";
import { ConversationList } from "./views/conversation_list.js";
import { announce, coalesce, el, icon, isWatched, logo } from "./views/dom.js";
import { SignInView } from "./views/sign_in.js";

const TOKEN = "ssechat:token";

class App {
  #root = document.getElementById("app");
  #server = null;
  #client = new ChatClient();
  #chat = null;
  #list = null;
  #view = null;
  #banner = null;
  #layout = null;
  #updateTitle = coalesce(() => this.#showTitle());

  /** Finds out who is here, and shows that person's conversations or the sign-in form. */
  async start() {
    this.#watchWorld();
    const splash = el("p", { className: "loading", textContent: "Loading…" });
    this.#root.replaceChildren(el("main", { className: "splash" }, logo(), splash));
    const token = this.#storedToken();
    if (token) this.#client = new ChatClient({ token });
    for (let failures = 0; ; ) {
      try {
        this.#server ??= await this.#client.server();
        await this.#client.session();
        this.#enter();
        return;
      } catch (error) {
        if (error.status === 401) {
          this.#keepToken(null);
          this.#showSignIn(token ? "Your access token no longer counts. Please paste a new one." : "");
          return;
        }
        splash.textContent = error.temporary ? "The server can't be reached. Trying again…" : error.message;
        await new Promise((resolve) =>
          setTimeout(resolve, Math.max(backOff(Math.min(++failures, 3)), error.retryAfter ?? 0)),
        );
      }
    }
  }

  #showSignIn(note, known = storage.get(SIGNED_IN) !== null || note !== "") {
    const entered =
      (request) =>
      async (...values) => {
        const client = new ChatClient();
        await client[request](...values);
        this.#client = client;
        this.#enter();
      };
    const view = new SignInView({
      server: this.#server,
      note,
      known,
      signUp: entered("signUp"),
      signIn: entered("signIn"),
      useToken: async (token) => {
        const client = new ChatClient({ token });
        await client.session().catch((error) => {
          throw error.status === 401
            ? new RequestError(401, { ...error, detail: "This token does not count here." })
            : error;
        });
        this.#keepToken(token);
        this.#client = client;
        this.#enter();
      },
    });
    this.#root.replaceChildren(view.node);
    document.title = "ssechat";
    view.focus();
  }

  #enter() {
    if (this.#client.token === null) storage.set(SIGNED_IN, this.#client.user);
    const chat = new Chat(this.#client);
    this.#chat = chat;
    this.#list = new ConversationList(chat, { onOpen: (id) => this.#open(id), onSignOut: () => this.#signOut() });
    this.#banner = new Banner(() => chat.wake());
    this.#layout = el("div", { className: "layout" }, this.#list.node);
    this.#root.replaceChildren(this.#banner.node, this.#layout);
    chat.addEventListener("change", ({ detail }) => this.#changed(detail));
    chat.addEventListener("status", () => this.#showStatus());
    chat.addEventListener("arrived", ({ detail }) => this.#arrived(detail));
    chat.addEventListener("unauthorized", () => this.#leave("You have been signed out. Sign in to go on."));
    chat.start();
    this.#route();
    this.#showStatus();
  }

  /** Back to the sign-in form, whatever the reason. */
  #leave(note) {
    if (!this.#chat) return;
    this.#view?.close();
    this.#chat.close();
    this.#chat = this.#view = null;
    this.#keepToken(null);
    this.#client = new ChatClient();
    this.#showSignIn(note, true);
  }

  async #signOut() {
    const chat = this.#chat;
    const unsent = chat.outbox.all.length;
    const question = `${unsent === 1 ? "A message has" : `${unsent} messages have`} not been sent yet. Sign out and discard?`;
    if (unsent && !window.confirm(question)) return;
    try {
      if (chat.client.token === null) await chat.client.signOut();
    } catch (error) {
      if (error.status !== 401) {
        announce("Signing out failed.");
        window.alert(`You are still signed in: ${error.message}`);
        chat.client.open();
        return;
      }
    }
    chat.forget();
    if (chat.client.token === null) storage.remove(SIGNED_IN);
    location.hash = "";
    this.#leave("");
  }

  #open(id) {
    const hash = `#/${encodeURIComponent(id)}`;
    if (location.hash !== hash) {
      history.pushState({ fromList: this.#chat.openId === null }, "", hash);
    }
    this.#route();
    this.#view?.focus();
  }

  #back() {
    if (history.state?.fromList) history.back();
    else {
      history.replaceState(null, "", location.pathname);
      this.#route();
    }
  }

  /** Shows what the address says: the list, or a conversation. */
  #route() {
    if (!this.#chat) return;
    const id = this.#addressed();
    if (this.#view && id === this.#chat.openId) return;
    const before = this.#chat.openId;
    this.#view?.close();
    this.#view = null;
    this.#chat.openConversation(id);
    if (id !== null) this.#view = new ConversationView(this.#chat, id, { onBack: () => this.#back() });
    this.#layout.replaceChildren(this.#list.node, this.#view?.node ?? this.#welcome());
    this.#layout.classList.toggle("reading", id !== null);
    this.#list.select(id);
    this.#updateTitle();
    if (id === null && before !== null) this.#list.node.querySelector(`[data-id="${CSS.escape(before)}"]`)?.focus();
  }

  #addressed() {
    try {
      const id = decodeURIComponent(location.hash.replace(/^#\/?/, ""));
      if (id.startsWith("g:")) return id;
      const members = id.startsWith("dm:") ? id.slice(3).split(":") : [];
      const direct = members.length === 2 ? directConversationId(...members) : "";
      if (direct.slice(3).split(":").includes(this.#chat.user)) return direct;
    } catch {
      // not an address of ours
    }
    return null;
  }

  #welcome() {
    return el(
      "main",
      { className: "conversation nothing" },
      icon("pencil"),
      el("p", { textContent: "Choose a conversation, or type a name to begin one." }),
    );
  }

  #changed(id) {
    this.#list.update();
    if (this.#view && (id === null || id === this.#chat.openId)) this.#view.update();
    this.#updateTitle();
  }

  #arrived(message) {
    if (message.conversation_id === this.#chat.openId) this.#view.arrived(message);
    else announce(`New message from ${message.sender}`);
  }

  #showStatus() {
    const { status } = this.#chat.client;
    document.documentElement.dataset.status = status;
    this.#banner.update({ status, online: navigator.onLine });
  }

  #showTitle() {
    if (!this.#chat) return;
    const unread = this.#chat.unreadTotal;
    const { openId, store } = this.#chat;
    const open = openId === null ? "" : `${store.title(store.ensure(openId))} · `;
    document.title = `${unread ? `(${unread > 99 ? "99+" : unread}) ` : ""}${open}ssechat`;
  }

  #watchWorld() {
    window.addEventListener("popstate", () => this.#route());
    window.addEventListener("hashchange", () => this.#route());
    window.addEventListener("online", () => this.#returned());
    window.addEventListener("offline", () => this.#chat && this.#showStatus());
    window.addEventListener("focus", () => this.#chat && this.#view?.seen());
    document.addEventListener("visibilitychange", () => document.hidden || this.#returned());
    // In the back/forward cache a page is frozen: it must not hold the stream for the other tabs meanwhile.
    window.addEventListener("pagehide", ({ persisted }) => persisted && this.#chat?.client.close());
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#chat?.resume());
    // Somebody signed in or out in another tab: the cookie is that person's now.
    window.addEventListener("storage", ({ key, newValue }) => {
      if (key !== SIGNED_IN || this.#client.token !== null || newValue === (this.#chat?.user ?? null)) return;
      if (newValue === null) this.#leave("You signed out in another tab.");
      else location.reload();
    });
    // Phones that lay the keyboard over the page (iOS): only the visual viewport tells its height.
    const viewport = window.visualViewport;
    viewport?.addEventListener("resize", () => {
      document.documentElement.style.setProperty("--height", viewport.scale === 1 ? `${viewport.height}px` : "100dvh");
      if (viewport.scale === 1) window.scrollTo(0, 0);
    });
  }

  #returned() {
    if (!this.#chat) return;
    this.#chat.wake();
    this.#showStatus();
    if (isWatched()) this.#view?.seen();
  }

  #storedToken() {
    try {
      return sessionStorage.getItem(TOKEN);
    } catch {
      return null;
    }
  }

  #keepToken(token) {
    try {
      if (token === null) sessionStorage.removeItem(TOKEN);
      else sessionStorage.setItem(TOKEN, token);
    } catch {
      // blocked: the token lasts as long as the page
    }
  }
}

new App().start();
