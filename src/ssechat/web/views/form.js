/** What forms have in common: they are submitted once at a time, and say why they were refused. */

import { requestError } from "../http.js";
import { sayFault, sayProblem } from "../texts/language.js";
import { el } from "./dom.js";

/** @typedef {import("../http.js").RequestError} RequestError */

/**
 * Handles the event `submit`.
 *
 * @param {object} options
 * @param {HTMLButtonElement} options.button which is disabled meanwhile
 * @param {HTMLElement} [options.error] says why it failed, unless `explain` does
 * @param {() => Promise<unknown>} options.submit throws a RequestError, or an Error whose message says what is missing
 * @param {((problem: RequestError) => boolean)|undefined} [options.explain] shows an error at its field, if it has one
 * @returns {(event: SubmitEvent) => Promise<void>}
 */
export function submission({ button, error = el("p"), submit, explain = () => false }) {
  return async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    error.textContent = "";
    button.disabled = true;
    try {
      await submit();
    } catch (thrown) {
      const problem = requestError(thrown);
      // An Error of `submit` itself has no fields: it stands at its field already, or here.
      if (!problem.fields || !explain(problem)) error.textContent = sayProblem(problem);
    } finally {
      button.disabled = false;
    }
  };
}

/**
 * Shows an error at the field that the server names.
 *
 * @param {RequestError} problem
 * @param {Record<string, {complain: (text: string) => void}>} fields by the server's names for them
 * @returns {boolean} whether there is such a field
 */
export function complainAt({ fields: [fault] }, fields) {
  const field = fault && fields[fault.field.split(".")[0] ?? ""];
  if (fault) field?.complain(sayFault(fault));
  return field !== undefined;
}

/**
 * A form of the settings, which stays when it is submitted.
 *
 * @param {object} options
 * @param {string} options.action the label of the button
 * @param {Node[]} options.content
 * @param {() => Promise<string|void>} options.submit returns what is then said beside the button
 * @param {(problem: RequestError) => boolean} options.explain as for `submission`
 * @param {() => void} [options.onInput]
 */
export function settingForm({ action, content, submit, explain, onInput = () => {} }) {
  const status = el("p", { className: "hint", role: "status" });
  const error = el("p", { className: "form-error", role: "alert" });
  const button = el("button", { type: "submit", className: "primary", textContent: action });
  const say = async () => {
    status.textContent = (await submit()) || "";
  };
  const node = el(
    "form",
    {
      noValidate: true,
      oninput: () => {
        status.textContent = "";
        error.textContent = "";
        onInput();
      },
      onsubmit: submission({ button, error, submit: say, explain }),
    },
    ...content,
    error,
    el("div", { className: "buttons" }, status, button),
  );
  return { node, button };
}
