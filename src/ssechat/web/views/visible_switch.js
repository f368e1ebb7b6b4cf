/** The setting whether others see that the user is there. */

import { say, sayProblem } from "../texts/language.js";
import { el } from "./dom.js";

/**
 * @param {import("../chat.js").Chat} chat
 * @returns {{node: HTMLElement, closed: () => void}}
 */
export function visibleSwitch({ client, people }) {
  const box = el("input", { type: "checkbox", id: "visible", role: "switch", "aria-describedby": "visible-hint" });
  const error = el("p", { className: "form-error", role: "alert" });
  let asking = false;
  /** Shows what is so, once it is known. */
  const fill = () => {
    box.disabled = asking || people.me === null;
    if (!asking) box.checked = people.me?.visible ?? true;
  };
  box.onchange = async () => {
    asking = true;
    fill();
    error.textContent = "";
    try {
      await client.presence.setVisible(box.checked);
      await people.refresh();
    } catch (thrown) {
      error.textContent = sayProblem(thrown);
    }
    asking = false;
    fill();
    box.focus();
  };
  const label = el("label", { for: "visible", textContent: say("let_see_online") });
  const node = el(
    "div",
    {},
    el("div", { className: "switch" }, box, label),
    el("p", { id: "visible-hint", className: "hint", textContent: say("online_hint") }),
    error,
  );
  const listening = new AbortController();
  people.on("change", fill, { signal: listening.signal });
  fill();
  if (people.me === null) people.refresh();
  return { node, closed: () => listening.abort() };
}
