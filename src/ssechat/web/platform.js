/** What browsers have, and programs may not. */

/** Web Locks, or undefined: they need a secure context. @returns {LockManager|undefined} */
export function locks() {
  return globalThis.navigator?.locks;
}

/** Whether other tabs can be told something: not by a program, though some have channels. */
export function hasTabs() {
  return Boolean(globalThis.location && globalThis.BroadcastChannel);
}

/** Whether this is a tab that nobody sees. */
export function isHidden() {
  return globalThis.document?.hidden ?? false;
}

/**
 * Says what becomes of the page, until the signal is aborted; of a program, nothing.
 *
 * @param {AbortSignal} signal
 * @param {object} on
 * @param {() => void} on.returned the network is back, or the page has become visible
 * @param {() => void} on.hidden the page went into the back/forward cache, where it is frozen: it must not hold the
 *   stream of all tabs meanwhile
 * @param {() => void} on.shown it came back from there
 */
export function watchPage(signal, { returned, hidden, shown }) {
  const { window, document } = globalThis;
  if (!window || !document) return;
  window.addEventListener("online", returned, { signal });
  document.addEventListener("visibilitychange", () => document.hidden || returned(), { signal });
  window.addEventListener("pagehide", ({ persisted }) => persisted && hidden(), { signal });
  window.addEventListener("pageshow", ({ persisted }) => persisted && shown(), { signal });
}
