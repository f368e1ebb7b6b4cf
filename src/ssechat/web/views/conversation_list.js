/** The list of conversations, and the field for finding or starting one. */

import { canonicalName, isName } from "../client.js";
import { badge, exactTime, shortTime } from "../format.js";
import { requestError } from "../http.js";
import { isTombstone } from "../store.js";
import { avatar, coalesce, el, icon, logo } from "./dom.js";

/** @typedef {import("../store.js").Conversation} Conversation */

/**
 * A row of the list.
 *
 * @typedef {object} Row
 * @property {string} id
 * @property {string} title
 * @property {boolean} note whether it is the user's notes
 * @property {string} prefix the text before the last message, such as a sender
 * @property {string} text of the last message
 * @property {boolean} failed whether the last message was refused
 * @property {string} when the time, formatted for users
 * @property {string} time the time in a machine-readable format, or empty
 * @property {number} unread
 * @property {boolean} selected
 */

/** The left column; on a phone, the first page. */
export class ConversationList {
  #chat;
  #onOpen;
  #list = el("ul", { className: "conversations" });
  #empty = el("div", { className: "empty" });
  #error = el("p", { id: "find-error", className: "field-error", role: "alert" });
  #input;
  #begin;
  #scroller;
  /** @type {string|null} */
  #selected = null;
  /** @type {Map<string, {signature: string, node: HTMLElement}>} by conversation */
  #rows = new Map();
  #busy = false;

  /**
   * @param {import("../chat.js").Chat} chat
   * @param {{onOpen: (id: string) => void, onSignOut: () => void}} options
   */
  constructor(chat, { onOpen, onSignOut }) {
    this.#chat = chat;
    this.#onOpen = onOpen;
    this.update = coalesce(() => this.#render());
    this.#input = el("input", {
      id: "find",
      type: "search",
      placeholder: "Find or write to someone",
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: false,
      maxLength: 128,
      enterKeyHint: "go",
      "aria-label": "Find a conversation, or type a name to begin one",
      "aria-describedby": "find-error",
      oninput: () => {
        this.#error.textContent = "";
        this.#render();
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Escape") this.#clear();
      },
    });
    this.#begin = el("button", { type: "submit", className: "begin", hidden: true });
    const find = el(
      "form",
      {
        className: "find",
        role: "search",
        onsubmit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          this.#start(this.#input.value.trim());
        },
      },
      el("div", { className: "input" }, icon("search"), this.#input),
      this.#error,
      this.#begin,
    );
    this.#scroller = el("div", { className: "scroller" }, this.#list, this.#empty);
    this.#scroller.addEventListener("scroll", () => this.#atEnd && chat.moreConversations());
    this.node = el(
      "nav",
      { className: "sidebar", "aria-label": "Conversations" },
      el(
        "header",
        { className: "bar" },
        logo(),
        el("h1", { className: "me", dir: "auto", textContent: chat.user, title: `Signed in as ${chat.user}` }),
        el(
          "button",
          {
            type: "button",
            className: "round",
            title: "Notes to yourself",
            "aria-label": "Notes to yourself",
            onclick: () => this.#openDirect(chat.user),
          },
          icon("note"),
        ),
        el(
          "button",
          {
            type: "button",
            className: "round",
            title: "Sign out",
            "aria-label": "Sign out",
            onclick: onSignOut,
          },
          icon("leave"),
        ),
      ),
      find,
      this.#scroller,
    );
  }

  /** Marks the open conversation. @param {string|null} id */
  select(id) {
    this.#selected = id;
    this.#render();
  }

  focus() {
    this.#input.focus();
  }

  /** @param {string} user */
  #openDirect(user) {
    this.#clear();
    this.#onOpen(this.#chat.direct(user));
  }

  #clear() {
    this.#input.value = "";
    this.#error.textContent = "";
    this.#render();
  }

  /** Opens the conversation with the typed title, else one with the user of that name. @param {string} typed */
  async #start(typed) {
    const name = canonicalName(typed);
    if (!name || this.#busy) return;
    const known = this.#chat.list.find(
      ({ conversation }) => canonicalName(this.#chat.store.title(conversation)) === name,
    );
    if (known) {
      this.#clear();
      this.#onOpen(known.conversation.id);
      return;
    }
    if (!isName(name)) {
      this.#error.textContent = "A name has only letters, digits and _ . @ | + ~ -.";
      return;
    }
    this.#busy = true;
    try {
      const { id } = await this.#chat.client.findUser(name);
      this.#openDirect(id);
    } catch (thrown) {
      const problem = requestError(thrown);
      this.#error.textContent =
        problem.code === "unknown_user"
          ? `There is nobody called “${name}” here.`
          : problem.status === 0
            ? "The server can't be reached right now."
            : problem.message;
      this.#input.focus();
    } finally {
      this.#busy = false;
    }
  }

  #render() {
    const typed = this.#input.value.trim();
    const wanted = canonicalName(typed);
    const all = this.#chat.list;
    const shown = all.filter(({ conversation }) => this.#title(conversation).toLowerCase().includes(wanted));
    this.#begin.hidden =
      !typed || shown.some(({ conversation }) => canonicalName(this.#chat.store.title(conversation)) === wanted);
    this.#begin.replaceChildren(icon("pencil"), "Write to ", el("strong", { dir: "auto", textContent: wanted }));
    const rows = new Map();
    for (const item of shown) {
      const { signature, ...row } = this.#describe(item);
      const known = this.#rows.get(row.id);
      rows.set(row.id, known?.signature === signature ? known : { signature, node: this.#row(row, known?.node) });
    }
    this.#rows = rows;
    const nodes = [...rows.values()].map(({ node }) => node);
    const focused = document.activeElement;
    if (nodes.length !== this.#list.children.length || nodes.some((node, i) => node !== this.#list.children[i])) {
      this.#list.replaceChildren(...nodes);
      if (focused instanceof HTMLElement && this.#list.contains(focused)) focused.focus({ preventScroll: true });
    }
    this.#renderEmpty(all.length, typed);
    // A short page does not scroll, and only scrolling loads the next one.
    if (!typed && !this.#chat.store.error && this.#scroller.clientHeight && this.#atEnd) this.#chat.moreConversations();
  }

  get #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    return scrollTop + clientHeight > scrollHeight - 300;
  }

  /** @param {Conversation} conversation */
  #title(conversation) {
    return this.#isNote(conversation) ? "Notes to yourself" : this.#chat.store.title(conversation);
  }

  /** @param {Conversation} conversation */
  #isNote(conversation) {
    return this.#chat.store.partner(conversation) === this.#chat.user;
  }

  /** @param {import("../chat.js").Chat["list"][number]} listed */
  #describe({ conversation, pending, time }) {
    const last = conversation.last_message;
    const text = pending ? pending.text : !last ? "No messages yet" : isTombstone(last) ? "Message deleted" : last.text;
    /** @type {Row} */
    const row = {
      id: conversation.id,
      title: this.#title(conversation),
      note: this.#isNote(conversation),
      text: text.slice(0, 200).replace(/\s+/g, " "),
      prefix: this.#prefix(conversation, pending),
      failed: pending?.state === "failed",
      when: time ? shortTime(new Date(time)) : "",
      time,
      unread: this.#chat.unread(conversation),
      selected: conversation.id === this.#selected,
    };
    return { ...row, signature: JSON.stringify(row) };
  }

  /**
   * Returns the text before the last message.
   *
   * @param {Conversation} conversation
   * @param {import("../outbox.js").Entry|null} pending
   */
  #prefix(conversation, pending) {
    const last = conversation.last_message;
    if (pending?.state === "failed") return "Not sent: ";
    if (this.#isNote(conversation)) return "";
    if (pending || last?.sender === this.#chat.user) return "You: ";
    return last && conversation.type !== "dm" ? `${last.sender}: ` : "";
  }

  /**
   * Creates a row, or updates the node of the previous one, so that its button keeps the focus.
   *
   * @param {Row} row
   * @param {HTMLElement} [before]
   */
  #row({ id, title, note, text, prefix, failed, when, time, unread, selected }, before) {
    const node = before ?? el("li", {}, el("button", { type: "button", onclick: () => this.#onOpen(id) }));
    const button = /** @type {HTMLButtonElement} */ (node.firstElementChild);
    button.className = ["conversation-row", selected && "selected", unread && "unread"].filter(Boolean).join(" ");
    button.dataset.id = id;
    if (selected) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    button.replaceChildren(
      avatar(title, { note }),
      el(
        "span",
        { className: "lines" },
        el(
          "span",
          { className: "line" },
          el("span", { className: "title", dir: "auto", textContent: title }),
          when && el("time", { dateTime: time, title: exactTime(new Date(time)), textContent: when }),
        ),
        el(
          "span",
          { className: "line" },
          el("span", { className: `preview${failed ? " failed" : ""}` }, prefix, el("bdi", { textContent: text })),
          unread > 0 &&
            el(
              "span",
              { className: "badge" },
              badge(unread),
              el("span", { className: "hidden", textContent: " unread" }),
            ),
        ),
      ),
    );
    return node;
  }

  /** @param {number} count @param {string} typed */
  #renderEmpty(count, typed) {
    const { loaded, error } = this.#chat.store;
    const state = error || (!loaded && !count ? "loading" : count || typed ? "" : "none");
    if (this.#empty.dataset.state === state) return;
    this.#empty.dataset.state = state;
    this.#empty.replaceChildren();
    if (state === "loading") {
      this.#empty.append(el("p", { className: "loading", textContent: "Loading conversations…" }));
    } else if (state === "none") {
      this.#empty.append(
        el("p", { textContent: "No conversations yet. Type someone's name above to write to them." }),
        el("button", {
          type: "button",
          className: "quiet",
          textContent: "Write a note to yourself",
          onclick: () => this.#openDirect(this.#chat.user),
        }),
      );
    } else if (state) {
      this.#empty.append(el("p", { textContent: error }));
    }
  }
}
