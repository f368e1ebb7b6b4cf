/** Has the browser keep the page, so that it comes up where the server cannot be reached. */

import { SIGNED_IN, storage } from "./storage.js";

/** @typedef {{user: string, server: import("./client.js").Facts}} Known */

/** The storage key of who was signed in, and what the server was like, when it last answered. */
export const KNOWN = "ssechat:known";

/** What the page comes up with. Who has been signed out, by whomever, is no longer in it. */
export const lastKnown = {
  /** @returns {Known|null} */
  get() {
    const known = storage.json(KNOWN);
    return known?.server && known.user && known.user === storage.get(SIGNED_IN) ? known : null;
  },

  /** @param {Known} known */
  set(known) {
    storage.setJson(KNOWN, known);
  },

  /** @param {string} [user] only if it is this one */
  forget(user) {
    if (user === undefined || storage.json(KNOWN)?.user === user) storage.remove(KNOWN);
  },
};

/** Begins the service worker, which keeps the page's files. Only HTTPS and this machine's own servers have one. */
export async function keepPage() {
  const { serviceWorker } = navigator;
  if (!serviceWorker || location.pathname !== "/") return;
  try {
    await serviceWorker.register("/web/sw.js", { scope: "/", updateViaCache: "none" });
  } catch {
    // the user or the browser forbids it: the page needs the server, as any page does
  }
}
