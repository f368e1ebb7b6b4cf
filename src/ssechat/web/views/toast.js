/** Says what went wrong, for a few seconds. */

import { sayProblem } from "../texts/language.js";
import { el } from "./dom.js";

const SHOWN = 6_000;

/** @param {string} text */
export function toast(text) {
  for (const before of document.querySelectorAll(".toast")) before.remove();
  const node = el("p", { className: "toast", role: "alert", textContent: text, onclick: () => node.remove() });
  document.body.append(node);
  setTimeout(() => node.remove(), SHOWN);
}

/** Does what may be refused, and says why it was. @param {() => Promise<unknown>} work */
export async function trying(work) {
  try {
    await work();
  } catch (thrown) {
    toast(sayProblem(thrown));
  }
}
