/** The page's entries in the browser's history: the list, a conversation, the details of a group. */

import { hashOf, secretIn } from "../route.js";

/** Goes to a conversation. @param {string} id @param {boolean} fromList whether going back leads to the list */
export function openRoute(id, fromList) {
  if (location.hash !== hashOf(id)) history.pushState({ fromList }, "", hashOf(id));
}

/** Goes back to the list. @param {() => void} changed called if the browser tells of no change */
export function leaveConversation(changed) {
  if (history.state?.fromList) {
    history.back();
    return;
  }
  history.replaceState(null, "", location.pathname);
  changed();
}

/**
 * Goes to the details of a group, or back from them.
 *
 * @param {string} id
 * @param {boolean} wanted
 * @param {() => void} changed called if the browser tells of no change
 */
export function openDetails(id, wanted, changed) {
  const { fromConversation = false } = history.state ?? {};
  if (!wanted && fromConversation) {
    history.back();
    return;
  }
  if (wanted) history.pushState({ fromConversation: true }, "", hashOf(id, true));
  else history.replaceState(null, "", hashOf(id));
  changed();
}

/** Takes the secret of an invitation out of the URL, where others might see it; null if there is none. */
export function takeSecret() {
  const secret = secretIn(location.hash);
  if (secret !== null) history.replaceState(null, "", location.pathname);
  return secret;
}
