/** What browsers have, and programs may not. */

/** Web Locks, or undefined: they need a secure context. @returns {LockManager|undefined} */
export function locks() {
  return globalThis.navigator?.locks;
}

/** Whether this is a tab that nobody sees. */
export function isHidden() {
  return globalThis.document?.hidden ?? false;
}
