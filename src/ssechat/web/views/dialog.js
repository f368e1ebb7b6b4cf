/** Dialogs: the page behind them waits. */

import { say } from "../texts/language.js";
import { el, icon } from "./dom.js";
import { submission } from "./form.js";
import { closeMenus } from "./menu.js";

/**
 * A dialog with a form. It closes when `submit` is done, and shows why it failed.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.action the label of the button that submits
 * @param {boolean} [options.danger] whether that destroys something
 * @param {(Node|string|false|null)[]} options.content
 * @param {() => Promise<unknown>} options.submit as for `submission`, as what follows
 * @param {(problem: import("../http.js").RequestError) => boolean} [options.explain]
 * @returns {HTMLDialogElement} which is open
 */
export function openDialog({ title, action, danger = false, content, submit, explain }) {
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
      onsubmit: submission({
        button,
        error,
        submit: async () => {
          await submit();
          dialog.close();
        },
        explain,
      }),
    },
    el("h2", { id: "dialog-title", textContent: title }),
    ...content.map((part) => part || ""),
    error,
    el(
      "div",
      { className: "buttons" },
      el("button", { type: "button", className: "quiet", textContent: say("cancel"), onclick: () => dialog.close() }),
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

/**
 * A dialog in which everything takes effect by itself; it is closed when one has finished.
 *
 * @param {string} title
 * @param {(Node|null)[]} content
 * @param {() => void} [onClose]
 * @returns {HTMLDialogElement} which is open
 */
export function openSheet(title, content, onClose = () => {}) {
  const dialog = el(
    "dialog",
    {
      className: "dialog wide sheet",
      "aria-labelledby": "sheet-title",
      onclose: () => {
        dialog.remove();
        onClose();
      },
    },
    el(
      "header",
      {},
      el("h2", { id: "sheet-title", textContent: title }),
      roundButton(say("close"), "close", () => dialog.close()),
    ),
    ...content,
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Closes dialogs and menus: the page behind them has changed. */
export function closeDialogs() {
  closeMenus();
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
