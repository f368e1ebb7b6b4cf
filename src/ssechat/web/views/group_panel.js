/** The details of a group: its name, topic, members, invitations, and the ways out of it. */

import { managesGroup } from "../membership.js";
import { whyReadOnly } from "../read_only.js";
import { say, sayProblem } from "../texts/language.js";
import { nameOf } from "./conversation_summary.js";
import { ask, openDialog, roundButton } from "./dialog.js";
import { avatar, el, icon } from "./dom.js";
import { textField } from "./field.js";
import { complainAt, submission } from "./form.js";
import { Invites } from "./invites.js";
import { MemberList } from "./member_list.js";
import { acquaintances } from "./new_group.js";
import { PeopleField } from "./people_field.js";

/** A third column; on a narrower screen it covers the conversation. */
export class GroupPanel {
  #chat;
  #id;
  #title = el("h3", { dir: "auto" });
  #topic = el("p", { className: "topic", dir: "auto" });
  #facts = el("p", { className: "hint" });
  #edit;
  #add;
  #people;
  #members;
  #invites;
  #ways = el("div", { className: "ways" });
  #scroller;
  #signature = "";

  /** @param {import("../chat.js").Chat} chat @param {string} id @param {() => void} onClose */
  constructor(chat, id, onClose) {
    this.#chat = chat;
    this.#id = id;
    this.#edit = el(
      "button",
      { type: "button", className: "quiet", onclick: () => this.#openEdit() },
      icon("pencil"),
      say("name_and_topic"),
    );
    this.#people = new PeopleField({
      label: say("add_people"),
      id: "add-people",
      known: acquaintances(chat),
      find: (user) => chat.client.users.get(user),
      directory: chat.directory,
    });
    this.#add = this.#addForm();
    this.#members = new MemberList(chat, id);
    this.#invites = new Invites(chat.client, id);
    this.#scroller = el(
      "div",
      { className: "scroller" },
      el(
        "section",
        { className: "group-about" },
        avatar(this.#name, { group: true }),
        this.#title,
        this.#topic,
        this.#facts,
        this.#edit,
      ),
      this.#add,
      this.#members.node,
      this.#invites.node,
      this.#ways,
    );
    this.#scroller.addEventListener("scroll", () => chat.presence.look());
    this.node = el(
      "aside",
      {
        className: "panel",
        "aria-label": say("group_details"),
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          const inMenu = event.target instanceof Element && event.target.closest("[popover]");
          if (event.key === "Escape" && !event.defaultPrevented && !inMenu) onClose();
        },
      },
      el(
        "header",
        { className: "bar" },
        el("h2", { textContent: say("group_details"), tabIndex: -1 }),
        roundButton(say("close_details"), "close", onClose),
      ),
      this.#scroller,
    );
    this.update();
  }

  /** Whom the details show, of a group that goes on. @returns {{users: string[], group?: string}} */
  get shown() {
    return whyReadOnly(this.#group) ? { users: [] } : { users: this.#members.shown, group: this.#id };
  }

  get #group() {
    return this.#chat.store.ensure(this.#id);
  }

  get #name() {
    return nameOf(this.#chat.store, this.#group);
  }

  /** Focuses the heading. */
  focus() {
    this.node.querySelector("h2")?.focus();
  }

  /** Must be called after a change of the group. */
  update() {
    const group = this.#group;
    const { name, topic, history, role, member_count, left, ended, unavailable } = group;
    if (role && !left && !unavailable) this.#chat.groups.loadRoster(this.#id);
    this.#members.update();
    const signature = JSON.stringify([name, topic, history, role, member_count, left, ended, unavailable]);
    if (signature === this.#signature) return;
    this.#signature = signature;
    const manages = managesGroup(group);
    const title = this.#name;
    this.#scroller.querySelector(".avatar")?.replaceWith(avatar(title, { group: true }));
    this.#title.textContent = title;
    this.#topic.textContent = topic ?? "";
    this.#topic.hidden = !topic;
    const facts = say(history === "from_join" ? "facts_from_join" : "facts_all");
    this.#facts.textContent = whyReadOnly(group) || facts;
    this.#edit.hidden = !manages;
    this.#add.hidden = !manages;
    this.#members.node.hidden = Boolean(left ?? unavailable);
    this.#invites.show(manages);
    this.#renderWays();
  }

  #renderWays() {
    const { role, left, ended } = this.#group;
    const way = (/** @type {string} */ label, /** @type {string} */ name, /** @type {() => void} */ onclick) =>
      el("button", { type: "button", className: "way", onclick }, icon(name), label);
    this.#ways.replaceChildren();
    if (left || !role || ended) return;
    this.#ways.append(way(say("leave_group"), "leave", () => this.#leave()));
    if (role === "owner") this.#ways.append(way(say("end_group_for_all"), "bin", () => this.#end()));
  }

  #addForm() {
    const button = el("button", { type: "submit", className: "quiet", textContent: say("add") });
    return el(
      "form",
      {
        className: "add-people",
        onsubmit: submission({
          button,
          submit: async () => {
            if (!(await this.#people.take()) || !this.#people.names.length) return;
            await this.#chat.client.groups.add(this.#id, this.#people.names);
            this.#people.clear();
          },
          explain: (problem) => {
            this.#people.complain(sayProblem(problem));
            return true;
          },
        }),
      },
      this.#people.node,
      button,
    );
  }

  #openEdit() {
    const { name = "", topic = "" } = this.#group;
    const nameField = textField(say("name"), { id: "edit-name", name: "name", maxLength: 128, value: name });
    const topicField = textField(say("topic"), { id: "edit-topic", name: "topic", maxLength: 256, value: topic });
    openDialog({
      title: say("name_and_topic"),
      action: say("save"),
      content: [nameField.node, topicField.node],
      submit: async () => {
        const wanted = { name: nameField.input.value.trim(), topic: topicField.input.value.trim() };
        const before = { name, topic };
        // Only what was changed here: somebody else may be changing the other.
        const fields = /** @type {("name"|"topic")[]} */ (["name", "topic"]).filter(
          (one) => wanted[one] !== before[one],
        );
        if (fields.length)
          await this.#chat.groups.change(this.#id, Object.fromEntries(fields.map((one) => [one, wanted[one]])));
      },
      explain: (problem) => complainAt(problem, { name: nameField, topic: topicField }),
    });
  }

  #leave() {
    ask({
      title: say("leave_title", { name: this.#name }),
      text: say("leave_text"),
      action: say("leave"),
      run: () => this.#chat.groups.leave(this.#id),
    });
  }

  #end() {
    ask({
      title: say("end_title", { name: this.#name }),
      text: say("end_text"),
      action: say("end_group"),
      run: () => this.#chat.client.groups.end(this.#id),
    });
  }
}
