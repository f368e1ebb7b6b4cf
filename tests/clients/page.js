/** The clients for browsers. `/plan` says which, and where the stream is; what they get is told to `/told`. */

import { fetchEventSource } from "/node_modules/@microsoft/fetch-event-source/lib/esm/index.js";

const { EventSourcePolyfill } = window;

let telling = Promise.resolve();
function tell(name, data) {
  telling = telling.then(() => fetch("/told", { method: "POST", body: `${name}\t${data}` }));
}

const starts = {
  async EventSource({ name, server, user, password }) {
    await fetch(`${server}/v1/session`, {
      method: "POST",
      credentials: "include",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: user, password }),
    });
    const source = new EventSource(`${server}/v1/events`, { withCredentials: true });
    source.addEventListener("message", (event) => tell(name, event.data));
  },
  "fetch-event-source"({ name, server, token }) {
    fetchEventSource(`${server}/v1/events`, {
      headers: { Authorization: `Bearer ${token}` },
      openWhenHidden: true,
      onmessage: ({ event, data }) => (event || "message") === "message" && tell(name, data),
    });
  },
  "event-source-polyfill"({ name, server, token }) {
    const source = new EventSourcePolyfill(`${server}/v1/events`, { headers: { Authorization: `Bearer ${token}` } });
    source.addEventListener("message", (event) => tell(name, event.data));
  },
};

for (const each of await (await fetch(`/plan${location.search}`)).json()) starts[each.kind](each);
