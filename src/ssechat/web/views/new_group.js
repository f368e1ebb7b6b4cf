/** The dialog that makes a group. */

import { newMessageId } from "../ids.js";
import { say, sayProblem } from "../texts/language.js";
import { openDialog } from "./dialog.js";
import { el } from "./dom.js";
import { textField } from "./field.js";
import { complainAt } from "./form.js";
import { PeopleField } from "./people_field.js";

/** @param {import("../chat.js").Chat} chat @param {(id: string) => void} onMade called with the new group's id */
export function openNewGroup(chat, onMade) {
  const name = textField(say("name"), {
    id: "group-name",
    name: "name",
    maxLength: 128,
    placeholder: say("what_about"),
  });
  const topic = textField(say("topic_optional"), { id: "group-topic", name: "topic", maxLength: 256 });
  const people = new PeopleField({
    label: say("people"),
    id: "group-people",
    known: acquaintances(chat),
    find: (user) => chat.client.users.get(user),
    directory: chat.directory,
  });
  const history = el(
    "fieldset",
    { className: "choices" },
    el("legend", { textContent: say("new_members_read") }),
    choice("all", say("reads_all"), true),
    choice("from_join", say("reads_from_join"), false),
  );
  let made = { request: "", client_msg_id: "" };
  const dialog = openDialog({
    title: say("new_group"),
    action: say("create_group"),
    content: [name.node, topic.node, people.node, history],
    submit: async () => {
      if (!name.input.value.trim()) return complainOf(name, say("group_name_missing"));
      if (!(await people.take())) throw new Error("");
      const group = {
        name: name.input.value.trim(),
        members: people.names.filter((user) => user !== chat.user),
        topic: topic.input.value.trim() || undefined,
        history: /** @type {"all"|"from_join"} */ (history.querySelector("input:checked")?.getAttribute("value")),
      };
      // The same request, made again after its answer got lost, makes no second group.
      const request = JSON.stringify(group);
      if (request !== made.request) made = { request, client_msg_id: newMessageId() };
      onMade(await chat.groups.create({ ...group, client_msg_id: made.client_msg_id }));
    },
    explain: (problem) => {
      if (complainAt(problem, { members: people, name, topic })) return true;
      if (problem.code !== "unknown_user" && problem.code !== "blocked") return false;
      people.complain(sayProblem(problem));
      return true;
    },
  });
  dialog.classList.add("wide");
  name.input.focus();
}

/** @param {{complain: (text: string) => void}} field @param {string} text @returns {never} */
function complainOf(field, text) {
  field.complain(text);
  throw new Error("");
}

/** @param {string} value @param {string} text @param {boolean} checked */
function choice(value, text, checked) {
  return el("label", {}, el("input", { type: "radio", name: "history", value, checked }), text);
}

/** The people with whom the user has a conversation. @param {import("../chat.js").Chat} chat */
export function acquaintances(chat) {
  const others = chat.store.conversations.map((conversation) => chat.store.other(conversation));
  return [...new Set(others.filter((user) => user !== null))].sort();
}
