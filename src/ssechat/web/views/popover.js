/** Boxes above the page, which close when one clicks elsewhere or presses Escape. */

/**
 * Opens a popover beside an element, within the window, also when that is turned or made smaller.
 *
 * @param {HTMLElement} box an element with `popover`
 * @param {HTMLElement} anchor
 */
export function openBeside(box, anchor) {
  box.showPopover();
  place(box, anchor);
  const closing = new AbortController();
  const { signal } = closing;
  window.addEventListener("resize", () => place(box, anchor), { signal });
  box.addEventListener("toggle", () => box.matches(":popover-open") || closing.abort(), { signal });
}

/** @param {HTMLElement} box @param {HTMLElement} anchor */
function place(box, anchor) {
  const around = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const left = Math.min(Math.max(8, around.left), document.documentElement.clientWidth - width - 8);
  const below = around.bottom + 4;
  const top = below + height < innerHeight - 8 ? below : Math.max(8, around.top - height - 4);
  box.style.left = `${left}px`;
  box.style.top = `${top}px`;
}

/**
 * Moves the focus among buttons with the arrow keys.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement[]} buttons
 * @param {number} columns
 */
export function moveFocus(event, buttons, columns = 1) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (!step || !(event.target instanceof HTMLElement)) return;
  event.preventDefault();
  buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length]?.focus();
}
