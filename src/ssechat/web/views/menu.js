/** A menu of a few actions, beside the button that opens it. */

import { el } from "./dom.js";
import { moveFocus, openBeside } from "./popover.js";

/** @typedef {{label: string, danger?: boolean, run: () => void}} MenuItem */

/**
 * Opens a menu; it goes away once something is chosen, or not.
 *
 * @param {HTMLElement} anchor
 * @param {MenuItem[]} items
 */
export function openMenu(anchor, items) {
  const buttons = items.map(({ label, danger, run }) =>
    el("button", {
      type: "button",
      className: danger ? "danger" : "",
      role: "menuitem",
      textContent: label,
      onclick: () => {
        box.hidePopover();
        run();
      },
    }),
  );
  const box = el(
    "div",
    {
      className: "popover menu",
      popover: "auto",
      role: "menu",
      onkeydown: (/** @type {KeyboardEvent} */ event) => moveFocus(event, buttons),
      ontoggle: (/** @type {ToggleEvent} */ { newState }) => newState === "closed" && box.remove(),
    },
    ...buttons,
  );
  anchor.after(box);
  openBeside(box, anchor);
  buttons[0]?.focus();
}
