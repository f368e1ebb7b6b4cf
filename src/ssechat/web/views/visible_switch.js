/** The setting whether others see that the user is there. */

import { requestError } from "../http.js";
import { el } from "./dom.js";
import { toast } from "./toast.js";

/**
 * A checkbox with its label, for a form or a dialog. It is disabled until the server has said what is so.
 *
 * @param {import("../chat.js").Chat} chat
 */
export function visibleSwitch(chat) {
  const box = el("input", { type: "checkbox", disabled: true, "aria-describedby": "visible-hint" });
  const hint = "If not, you look offline to everybody, and nobody sees when you were there.";
  const { presence } = chat.client;
  const doing = async (/** @type {() => Promise<boolean>} */ work) => {
    const before = box.checked;
    box.disabled = true;
    try {
      box.checked = await work();
      box.disabled = false;
    } catch (thrown) {
      toast(requestError(thrown).message);
      box.checked = before;
      box.disabled = false;
    }
  };
  box.onchange = () => {
    const wanted = box.checked;
    box.checked = !wanted; // until it is so
    doing(async () => (await presence.setVisible(wanted)).visible);
  };
  doing(() => presence.visible());
  return el(
    "div",
    { className: "visible-switch" },
    el("label", {}, box, el("span", { textContent: "Others see when I am online" })),
    el("p", { id: "visible-hint", className: "hint", textContent: hint }),
  );
}
