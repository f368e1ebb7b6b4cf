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
      ontoggle: (/** @type {ToggleEvent} */ { newState }) => {
        if (newState !== "closed") return;
        box.remove();
        if (document.activeElement === document.body) focusAgain(anchor);
      },
    },
    ...buttons,
  );
  // Not beside the anchor, whose row may be drawn again while one chooses, but in its landmark.
  (anchor.closest("dialog, nav, main, aside") ?? document.body).append(box);
  openBeside(box, anchor);
  buttons[0]?.focus();
}

/** Closes the menu that is open, if there is one. */
export function closeMenus() {
  for (const box of document.querySelectorAll(".menu")) box.remove();
}

/** Gives the focus back to what stands in place of the button that opened a menu. @param {HTMLElement} anchor */
function focusAgain(anchor) {
  const label = anchor.getAttribute("aria-label");
  /** @type {HTMLElement|null} */
  const again = label ? document.querySelector(`button[aria-label="${CSS.escape(label)}"]`) : null;
  if (!anchor.isConnected) again?.focus({ preventScroll: true });
}
