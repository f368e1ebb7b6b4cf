/** The page in another language. */

import { language } from "../texts/language.js";
import { closeDialogs } from "./dialog.js";

/** Loads the words of the language that is wanted, before the page is drawn with them. */
export async function loadLanguage() {
  const loaded = await language.load();
  document.documentElement.lang = language.code;
  return loaded;
}

/**
 * Draws the page in the language that is wanted by now.
 *
 * @param {() => void} draw
 * @returns {Promise<boolean>} whether that could be done
 */
export async function translate(draw) {
  if (!(await loadLanguage())) return false;
  closeDialogs();
  draw();
  return true;
}
