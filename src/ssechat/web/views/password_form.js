/** The form that changes the password. */

import { say, sayProblem } from "../texts/language.js";
import { el } from "./dom.js";
import { textField } from "./field.js";
import { complainAt, settingForm } from "./form.js";

const MINIMUM = 8;

/** @param {import("../chat.js").Chat} chat @returns {HTMLElement} */
export function passwordForm(chat) {
  const old = textField(say("old_password"), {
    id: "old-password",
    name: "old",
    type: "password",
    autocomplete: "current-password",
    maxLength: 4_096,
  });
  const wanted = textField(
    say("new_password"),
    { id: "new-password", name: "new", type: "password", autocomplete: "new-password", maxLength: 4_096 },
    say("new_password_hint", { least: MINIMUM }),
  );

  const change = async () => {
    if (!old.input.value) return old.complain(say("old_password_missing"));
    if ([...wanted.input.value].length < MINIMUM) return wanted.complain(say("choose_longer", { least: MINIMUM }));
    await chat.client.account.changePassword(old.input.value, wanted.input.value);
    old.input.value = "";
    wanted.input.value = "";
    node.dispatchEvent(new CustomEvent("sessions-ended", { bubbles: true }));
    return say("password_changed");
  };

  // Password managers take the name from here.
  const username = el("input", {
    type: "text",
    name: "username",
    autocomplete: "username",
    value: chat.user,
    hidden: true,
    readOnly: true,
  });
  const { node } = settingForm({
    action: say("change_password"),
    content: [username, old.node, wanted.node],
    submit: change,
    explain: (problem) => {
      if (complainAt(problem, { old, new: wanted })) return true;
      if (problem.code !== "wrong_password") return false;
      old.complain(sayProblem(problem));
      return true;
    },
  });
  return node;
}
