/** Tells the server what this device has got: what comes, and what was written while it was away. */

import { Acks } from "./acks.js";

/**
 * Acks what comes by the stream and by what is loaded, until the signal is aborted.
 *
 * @param {import("./base_client.js").BaseClient} client
 * @param {import("./store.js").Store} store
 * @param {AbortSignal} signal
 */
export function ackDeliveries(client, store, signal) {
  const acks = new Acks(client);
  client.on("message", ({ sender }) => sender !== store.user && acks.soon(), { signal });
  store.on("change", (id) => id === null && isBehind(store) && acks.soon(), { signal });
  signal.addEventListener("abort", () => acks.close());
}

/** Whether the conversations were loaded with something unread in them. @param {import("./store.js").Store} store */
function isBehind({ conversations, error }) {
  return !error && conversations.some(({ newest_seq, read_up_to }) => newest_seq > (read_up_to ?? newest_seq));
}
