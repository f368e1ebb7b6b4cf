/** Dialogs: the page behind them waits. */

import { requestError } from "../http.js";
import { el, icon } from "./dom.js";

/**
 * A dialog with a form. It closes when `submit` is done, and shows why it failed.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.action the label of the button that submits
 * @param {boolean} [options.danger] whether that destroys something
 * @param {(Node|string|false|null)[]} options.content
 * @param {() => Promise<unknown>} options.submit throws a RequestError, or an Error whose message says what is missing
 * @param {(error: import("../http.js").RequestError) => boolean} [options.explain] shows an error at its field
 * @returns {HTMLDialogElement} which is open
 */
export function openDialog({ title, action, danger = false, content, submit, explain = () => false }) {
  const error = el("p", { className: "form-error", role: "alert" });
  const button = el("button", {
    type: "submit",
    className: danger ? "primary danger" : "primary",
    textContent: action,
  });
  const form = el(
    "form",
    {
      noValidate: true,
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        if (button.disabled) return;
        error.textContent = "";
        button.disabled = true;
        try {
          await submit();
          dialog.close();
        } catch (thrown) {
          const problem = requestError(thrown);
          // An Error of `submit` itself has no fields: it stands at its field already, or here.
          if (!problem.fields || !explain(problem)) error.textContent = problem.message;
        } finally {
          button.disabled = false;
        }
      },
    },
    el("h2", { id: "dialog-title", textContent: title }),
    ...content.map((part) => part || ""),
    error,
    el(
      "div",
      { className: "buttons" },
      el("button", { type: "button", className: "quiet", textContent: "Cancel", onclick: () => dialog.close() }),
      button,
    ),
  );
  const dialog = el(
    "dialog",
    { className: "dialog", "aria-labelledby": "dialog-title", onclose: () => dialog.remove() },
    form,
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Closes what is open: the page behind it has changed. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}

/**
 * Asks before something is done.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.text
 * @param {string} options.action
 * @param {boolean} [options.danger]
 * @param {() => Promise<unknown>} options.run
 */
export function ask({ title, text, action, danger = true, run }) {
  const dialog = openDialog({ title, action, danger, content: [el("p", { textContent: text })], submit: run });
  // Enter does what was wanted, unless that destroys something.
  if (!danger) /** @type {HTMLElement} */ (dialog.querySelector(".primary")).focus();
  return dialog;
}

/**
 * A labelled text field with room for an error.
 *
 * @param {string} label
 * @param {Record<string, any>} properties of the input; `id` is needed
 * @param {string} [hint]
 */
export function textField(label, properties, hint = "") {
  const { id } = properties;
  const described = [`${id}-error`, hint && `${id}-hint`].filter(Boolean).join(" ");
  const input = el("input", { type: "text", autocomplete: "off", ...properties, "aria-describedby": described });
  const error = el("p", { id: `${id}-error`, className: "field-error", role: "alert" });
  input.addEventListener("input", () => {
    error.textContent = "";
    input.removeAttribute("aria-invalid");
  });
  const node = el(
    "div",
    { className: "field" },
    el("label", { for: id, textContent: label }),
    el("div", { className: "input" }, input),
    error,
    hint && el("p", { id: `${id}-hint`, className: "hint", textContent: hint }),
  );
  const complain = (/** @type {string} */ text) => {
    error.textContent = text;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  };
  return { node, input, complain };
}

/**
 * A round button with an icon.
 *
 * @param {string} label
 * @param {string} name of the icon
 * @param {() => void} onclick
 * @param {string} [more] further classes
 */
export function roundButton(label, name, onclick, more = "") {
  return el(
    "button",
    { type: "button", className: `round ${more}`.trim(), title: label, "aria-label": label, onclick },
    icon(name),
  );
}
