/** Tells the server what this device has got: what comes, and what was written while it was away. */

import { load } from "./lazily.js";

/**
 * Acks what comes by the stream and by what is loaded, until the signal is aborted.
 *
 * @param {import("./base_client.js").BaseClient} client
 * @param {import("./store.js").Store} store
 * @param {AbortSignal} signal
 */
export function ackDeliveries(client, store, signal) {
  /** @type {import("./acks.js").Acks|undefined} */
  let acks;
  // It is needed once something has come; if the server is away, the next one says all that this one would have.
  const soon = () =>
    load().then(
      ({ Acks }) => {
        acks ??= new Acks(client);
        if (!signal.aborted) acks.soon();
      },
      () => {},
    );
  client.on("message", ({ sender }) => sender !== store.user && soon(), { signal });
  store.on("change", (id) => id === null && isBehind(store) && soon(), { signal });
  signal.addEventListener("abort", () => acks?.close());
}

/** Whether the conversations were loaded with something unread in them. @param {import("./store.js").Store} store */
function isBehind({ conversations, error }) {
  return !error && conversations.some(({ newest_seq, read_up_to }) => newest_seq > (read_up_to ?? newest_seq));
}
