/** The form that changes the password. */

import { el } from "./dom.js";
import { textField } from "./field.js";
import { complainAt, settingForm } from "./form.js";

const MINIMUM = 8;

/** @param {import("../chat.js").Chat} chat @returns {HTMLElement} */
export function passwordForm(chat) {
  const old = textField("Old password", {
    id: "old-password",
    name: "old",
    type: "password",
    autocomplete: "current-password",
    maxLength: 4_096,
  });
  const wanted = textField(
    "New password",
    { id: "new-password", name: "new", type: "password", autocomplete: "new-password", maxLength: 4_096 },
    `At least ${MINIMUM} characters. Your other sessions end.`,
  );

  const change = async () => {
    if (!old.input.value) return old.complain("Please enter the password that you have now.");
    if ([...wanted.input.value].length < MINIMUM)
      return wanted.complain(`Please choose at least ${MINIMUM} characters.`);
    await chat.client.account.changePassword(old.input.value, wanted.input.value);
    old.input.value = "";
    wanted.input.value = "";
    node.dispatchEvent(new CustomEvent("sessions-ended", { bubbles: true }));
    return "Your password is changed, and your other sessions have ended.";
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
    action: "Change password",
    content: [username, old.node, wanted.node],
    submit: change,
    explain: (problem) => {
      if (complainAt(problem, { old, new: wanted })) return true;
      if (problem.code !== "wrong_password") return false;
      old.complain(problem.message);
      return true;
    },
  });
  return node;
}
