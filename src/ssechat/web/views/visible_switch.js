/** The setting whether others see that the user is there. */

import { requestError } from "../http.js";
import { el } from "./dom.js";

const HINT = "If not, you look offline to everybody, and nobody sees when you were there.";

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
      error.textContent = requestError(thrown).message;
    }
    asking = false;
    fill();
    box.focus();
  };
  const label = el("label", { for: "visible", textContent: "Let others see when you are online" });
  const node = el(
    "div",
    {},
    el("div", { className: "switch" }, box, label),
    el("p", { id: "visible-hint", className: "hint", textContent: HINT }),
    error,
  );
  const listening = new AbortController();
  people.on("change", fill, { signal: listening.signal });
  fill();
  if (people.me === null) people.refresh();
  return { node, closed: () => listening.abort() };
}
