/** The clients for Node, each as its documentation shows it: `node clients.js NAME URL TOKEN`. */

import { createRequire } from "node:module";
import { EventSource as EventSource4 } from "eventsource-4";
import { createEventSource } from "eventsource-client";

const EventSource2 = createRequire(import.meta.url)("eventsource-2");

const [name, url, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const tell = (data) => process.stdout.write(`${name}\t${data}\n`);

const clients = {
  "eventsource 2"() {
    const source = new EventSource2(url, { headers });
    source.addEventListener("message", (event) => tell(event.data));
  },
  "eventsource 4"() {
    const withToken = (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } });
    const source = new EventSource4(url, { fetch: withToken });
    source.addEventListener("message", (event) => tell(event.data));
  },
  "eventsource-client"() {
    createEventSource({
      url,
      headers,
      onMessage: ({ event, data }) => (event ?? "message") === "message" && tell(data),
    });
  },
};

clients[name]();
