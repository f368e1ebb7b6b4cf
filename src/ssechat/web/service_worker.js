/**
 * The service worker's events. The server puts `SHELL`, the names of the files, in front of this script; so a new
 * version is another script, which the browser looks for whenever the page is opened.
 */

import { Shell } from "./shell.js";

/** @typedef {Event & {waitUntil(work: Promise<unknown>): void}} Phase */
/** @typedef {Phase & {addRoutes?(routes: object): Promise<void>}} Installing */
/** @typedef {Event & {request: Request, respondWith(answer: Promise<Response>): void}} Asked */
/** @typedef {{SHELL: import("./shell.js").Files, skipWaiting(): Promise<void>}} Scope */

const { SHELL, location, caches } = /** @type {typeof globalThis & Scope} */ (globalThis);

const shell = new Shell(SHELL, {
  origin: location.origin,
  caches,
  fetch: (input, options) => fetch(input, options),
});

/** Keeps the files, and takes over at once: pages that are open have all that they need, and stay as they are. */
async function install() {
  await shell.keep();
  await /** @type {typeof globalThis & Scope} */ (globalThis).skipWaiting();
}

/** Has the browser send requests to the API, streams too, without waking this worker. @param {Installing} event */
async function passRequests(event) {
  try {
    await event.addRoutes?.({ condition: { urlPattern: "/v1/*" }, source: "network" });
  } catch {
    // then it is woken, and lets them pass
  }
}

addEventListener("install", (event) => {
  /** @type {Installing} */ (event).waitUntil(
    Promise.all([install(), passRequests(/** @type {Installing} */ (event))]),
  );
});

addEventListener("activate", (event) => /** @type {Phase} */ (event).waitUntil(shell.clean()));

addEventListener("fetch", (event) => {
  const { request } = /** @type {Asked} */ (event);
  const answer = shell.answer(request);
  if (answer) /** @type {Asked} */ (event).respondWith(answer);
});
