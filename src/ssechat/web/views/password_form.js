/** The form that changes the password. */

import { requestError } from "../http.js";
import { el } from "./dom.js";
import { textField } from "./field.js";

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
  const status = el("p", { className: "hint", role: "status" });
  const error = el("p", { className: "form-error", role: "alert" });
  const button = el("button", { type: "submit", className: "primary", textContent: "Change password" });

  const change = async () => {
    if (!old.input.value) return old.complain("Please enter the password that you have now.");
    if ([...wanted.input.value].length < MINIMUM)
      return wanted.complain(`Please choose at least ${MINIMUM} characters.`);
    await chat.client.changePassword(old.input.value, wanted.input.value);
    old.input.value = "";
    wanted.input.value = "";
    status.textContent = "Your password is changed, and your other sessions have ended.";
    node.dispatchEvent(new CustomEvent("sessions-ended", { bubbles: true }));
  };

  const node = el(
    "form",
    {
      noValidate: true,
      oninput: () => {
        status.textContent = "";
        error.textContent = "";
      },
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        if (button.disabled) return;
        button.disabled = true;
        error.textContent = "";
        try {
          await change();
        } catch (thrown) {
          const problem = requestError(thrown);
          const wrong = problem.fields[0];
          if (problem.code === "wrong_password" || wrong?.field === "old")
            old.complain(wrong?.message ?? problem.message);
          else if (wrong?.field === "new") wanted.complain(wrong.message);
          else error.textContent = problem.message;
        } finally {
          button.disabled = false;
        }
      },
    },
    // Password managers take the name from here.
    el("input", {
      type: "text",
      name: "username",
      autocomplete: "username",
      value: chat.user,
      hidden: true,
      readOnly: true,
    }),
    old.node,
    wanted.node,
    error,
    el("div", { className: "buttons" }, status, button),
  );
  return node;
}
