/** The list of conversations, and the field for finding or starting one. */

import { isNone } from "../conversation.js";
import { requestError } from "../http.js";
import { canonicalName, isName } from "../ids.js";
import { language, say, sayAround, sayProblem } from "../texts/language.js";
import { AccountButton } from "./account_button.js";
import { conversationRow } from "./conversation_row.js";
import { faceOf, rowOf, titleOf } from "./conversation_summary.js";
import { roundButton } from "./dialog.js";
import { coalesce, el, icon } from "./dom.js";
import { FoundPeople } from "./found_people.js";
import { onScreen } from "./presence_dot.js";

/** @typedef {import("../conversation.js").Conversation} Conversation */

/** The left column; on a phone, the first page. */
export class ConversationList {
  #chat;
  #onOpen;
  #onNewGroup;
  #list = el("ul", { className: "conversations" });
  #empty = el("div", { className: "empty" });
  #error = el("p", { id: "find-error", className: "field-error", role: "alert" });
  #input;
  #account;
  #found;
  #begin;
  #scroller;
  /** @type {string|null} */
  #selected = null;
  /** @type {Map<string, {signature: string, node: HTMLElement}>} by conversation */
  #rows = new Map();
  #busy = false;

  /**
   * @param {import("../chat.js").Chat} chat
   * @param {object} views
   * @param {(id: string) => void} views.onOpen
   * @param {() => void} views.onNewGroup
   * @param {() => void} views.onSettings
   * @param {() => void} views.onSignOut
   */
  constructor(chat, { onOpen, onNewGroup, onSettings, onSignOut }) {
    this.#chat = chat;
    this.#onOpen = onOpen;
    this.#onNewGroup = onNewGroup;
    this.update = coalesce(() => this.#render());
    this.#account = new AccountButton(chat, [
      { label: say("settings"), run: onSettings },
      { label: say("sign_out"), run: onSignOut },
    ]);
    this.#found = new FoundPeople(chat, (user) => this.#openDirect(user));
    this.#input = el("input", {
      id: "find",
      type: "search",
      placeholder: say("find_or_write"),
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: false,
      maxLength: 128,
      enterKeyHint: "go",
      "aria-label": say("find_label"),
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
    this.#scroller = el("div", { className: "scroller", tabIndex: -1 }, this.#list, this.#found.node, this.#empty);
    this.#scroller.addEventListener("scroll", () => {
      if (this.#atEnd) chat.moreConversations();
      chat.presence.look();
    });
    this.close = chat.presence.add(() => this.#partners());
    new ResizeObserver(() => chat.presence.look()).observe(this.#scroller);
    this.node = el(
      "nav",
      { className: "sidebar", "aria-label": say("conversations") },
      el(
        "header",
        { className: "bar" },
        el("h1", { className: "me" }, this.#account.node),
        roundButton(say("new_group"), "new_group", onNewGroup),
        roundButton(say("notes"), "note", () => this.#openDirect(chat.user)),
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

  /** Focuses the search field; on a phone, where the keyboard would open, the list. */
  focus() {
    if (matchMedia("(pointer: coarse)").matches) this.#scroller.focus({ preventScroll: true });
    else this.#input.focus();
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

  /**
   * Opens the conversation with the user of the typed name, else a group of that name: a group may be called like
   * somebody, and must not stand in their place.
   *
   * @param {string} typed
   */
  async #start(typed) {
    const name = canonicalName(typed);
    if (!name || this.#busy) return;
    const titled = this.#chat.list.filter((listed) => this.#isTitled(listed, name));
    const open = (/** @type {Conversation} */ { id }) => {
      this.#clear();
      this.#onOpen(id);
    };
    const direct = titled.find(({ conversation }) => conversation.type === "dm");
    const group = titled.find(({ conversation }) => conversation.type === "group");
    const known = direct ?? (isName(name) ? undefined : group);
    if (known) {
      open(known.conversation);
      return;
    }
    if (!isName(name)) {
      this.#error.textContent = say("name_wrong");
      this.#render();
      return;
    }
    this.#busy = true;
    try {
      const { id } = await this.#chat.client.users.get(name);
      this.#openDirect(id);
    } catch (thrown) {
      const problem = requestError(thrown);
      if (group && problem.code === "unknown_user") {
        open(group.conversation);
        return;
      }
      this.#error.textContent =
        problem.code === "unknown_user"
          ? say("nobody_called", { name })
          : problem.status === 0
            ? say("unreachable_now")
            : sayProblem(problem);
      this.#render();
      this.#input.focus();
    } finally {
      this.#busy = false;
    }
  }

  #render() {
    const typed = this.#input.value.trim();
    const wanted = canonicalName(typed);
    const all = this.#chat.list.filter(({ conversation }) => !isNone(conversation));
    const words = typed.normalize().toLowerCase();
    const shown = all.filter(
      ({ conversation }) =>
        titleOf(this.#chat, conversation).toLowerCase().includes(wanted) ||
        faceOf(this.#chat, conversation).called.toLowerCase().includes(words),
    );
    this.#account.update();
    this.#found.update(wanted);
    this.#begin.hidden =
      !typed ||
      this.#error.textContent !== "" || // it says why that is not possible
      shown.some((listed) => listed.conversation.type === "dm" && this.#isTitled(listed, wanted));
    this.#begin.replaceChildren(
      icon("pencil"),
      ...sayAround("write_to", { user: el("strong", { dir: "auto", textContent: wanted }) }),
    );
    const rows = new Map();
    for (const item of shown) {
      const row = rowOf(this.#chat, item, this.#selected);
      const signature = JSON.stringify(row);
      const known = this.#rows.get(row.id);
      rows.set(
        row.id,
        known?.signature === signature ? known : { signature, node: conversationRow(row, this.#onOpen, known?.node) },
      );
    }
    this.#rows = rows;
    const nodes = [...rows.values()].map(({ node }) => node);
    const focused = document.activeElement;
    if (nodes.length !== this.#list.children.length || nodes.some((node, i) => node !== this.#list.children[i])) {
      this.#list.replaceChildren(...nodes);
      if (focused instanceof HTMLElement && this.#list.contains(focused)) focused.focus({ preventScroll: true });
      this.#chat.presence.look();
    }
    this.#renderEmpty(all.length, typed);
    // A short page does not scroll, and only scrolling loads the next one.
    if (!typed && !this.#chat.store.error && this.#scroller.clientHeight && this.#atEnd) this.#chat.moreConversations();
  }

  get #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    return scrollTop + clientHeight > scrollHeight - 300;
  }

  /** @param {import("../chat.js").Chat["list"][number]} listed @param {string} name */
  #isTitled({ conversation }, name) {
    return canonicalName(this.#chat.store.title(conversation)) === name;
  }

  /** The others of the direct conversations that are on the screen. */
  #partners() {
    const { store } = this.#chat;
    const ids = onScreen(this.#list).map((row) => row.querySelector("button")?.dataset.id ?? "");
    return { users: ids.map((id) => store.other(store.ensure(id))).filter((user) => user !== null) };
  }

  /** @param {number} count @param {string} typed */
  #renderEmpty(count, typed) {
    const { loaded, error: message, refusal: code } = this.#chat.store;
    const error = message && language.problem({ message, code });
    const state = error || (!loaded && !count ? "loading" : count || typed ? "" : "none");
    if (this.#empty.dataset.state === state) return;
    this.#empty.dataset.state = state;
    this.#empty.replaceChildren();
    if (state === "loading") {
      this.#empty.append(el("p", { className: "loading", textContent: say("loading_conversations") }));
    } else if (state === "none") {
      this.#empty.append(
        el("p", { textContent: say("no_conversations") }),
        el("button", { type: "button", className: "quiet", textContent: say("new_group"), onclick: this.#onNewGroup }),
        el("button", {
          type: "button",
          className: "quiet",
          textContent: say("write_note"),
          onclick: () => this.#openDirect(this.#chat.user),
        }),
      );
    } else if (state) {
      this.#empty.append(el("p", { textContent: error }));
    }
  }
}
