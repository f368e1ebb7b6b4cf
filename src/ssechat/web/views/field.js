/** A labelled text field with room for an error. */

import { el } from "./dom.js";

/** @typedef {{node: HTMLElement, input: HTMLInputElement, complain: (text: string) => void}} Field */

/**
 * @param {string} label
 * @param {Record<string, any>} properties of the input; `id` is needed
 * @param {string} [hint]
 * @param {(input: HTMLInputElement) => Node|false} [beside] makes what stands in the field, behind the input
 * @returns {Field} `complain` shows an error, and takes the focus there
 */
export function textField(label, properties, hint = "", beside = () => false) {
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
    el("div", { className: "input" }, input, beside(input)),
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
