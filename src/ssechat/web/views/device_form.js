/** What is set on this device only: the language, and whether messages sound. */

import { LANGUAGES, language, say } from "../texts/language.js";
import { el } from "./dom.js";

/**
 * @typedef {object} Device
 * @property {import("./sound.js").Sound} sound
 * @property {() => Promise<boolean>} onLanguage shows the page in the language that was chosen, if that can be done
 */

/** @param {Device} device */
export function deviceForm({ sound, onLanguage }) {
  const chosen = language.chosen ?? "";
  const option = (/** @type {string} */ value, /** @type {string} */ textContent) =>
    el("option", { value, textContent, lang: value || null, selected: value === chosen });
  const error = el("p", { className: "form-error", role: "alert" });
  const choose = async () => {
    const before = language.chosen;
    error.textContent = "";
    language.choose(/** @type {import("../texts/language.js").Code} */ (choice.value) || null);
    if (await onLanguage()) return;
    language.choose(before);
    choice.value = before ?? "";
    error.textContent = say("unreachable_now");
  };
  const choice = el(
    "select",
    { id: "language", onchange: choose },
    option("", say("as_browser")),
    ...Object.entries(LANGUAGES).map(([code, name]) => option(code, name)),
  );
  const box = el("input", {
    type: "checkbox",
    id: "sound",
    role: "switch",
    "aria-describedby": "sound-hint",
    checked: sound.wanted,
    onchange: () => {
      sound.wanted = box.checked;
    },
  });
  return el(
    "div",
    {},
    el(
      "div",
      { className: "field" },
      el("label", { for: "language", textContent: say("language") }),
      el("div", { className: "input" }, choice),
      error,
    ),
    el("div", { className: "switch" }, box, el("label", { for: "sound", textContent: say("sound") })),
    el("p", { id: "sound-hint", className: "hint", textContent: say("sound_hint") }),
  );
}
