/** A board: what runs where. What is known outlives a reload, after which the feed goes on from there. */

import { coalesce, el } from "../views/dom.js";
import { age, byId, FeedPage } from "./feed_page.js";

/** @typedef {import("../feeds.js").FeedEvent} FeedEvent */
/** @typedef {"running"|"deploying"|"failed"|"stopped"} State */

/** The states, as they are shown. @type {Record<State, string>} */
const STATES = { running: "Running", deploying: "Deploying", failed: "Failed", stopped: "Stopped" };

/** Environments that have a place of their own, before all others. */
const ORDER = ["development", "staging", "production"];

/** Where a tab keeps what it knows of a feed. */
const KEPT = "ssechat:feed:";

/** @param {string} name of the feed @returns {import("../feeds.js").Known|null} */
function known(name) {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT + name) ?? "null");
  } catch {
    return null; // storage is blocked
  }
}

function keep() {
  try {
    sessionStorage.setItem(KEPT + page.name, JSON.stringify(page.feed.known));
  } catch {
    // storage is blocked or full: the next page begins anew
  }
}

/** What a key is of: `shop/production`. @param {string} key */
function placeOf(key) {
  const cut = key.lastIndexOf("/");
  return cut < 0 ? { service: key, environment: "" } : { service: key.slice(0, cut), environment: key.slice(cut + 1) };
}

/** @param {string} one @param {string} other */
function byOrder(one, other) {
  const [first, second] = [ORDER.indexOf(one), ORDER.indexOf(other)];
  return first >= 0 && second >= 0 ? first - second : second - first || (one < other ? -1 : 1);
}

/** @param {FeedEvent} event @returns {State|null} */
function stateOf({ data }) {
  const state = data?.state ?? data;
  return Object.hasOwn(STATES, state) ? state : null;
}

/** @param {number} milliseconds */
function ago(milliseconds) {
  return milliseconds < 60_000 ? "just now" : `${age(milliseconds)} ago`;
}

/** @param {FeedEvent|undefined} event @param {string} environment */
function cell(event, environment) {
  const node = el("td", { role: "cell", "data-environment": environment });
  if (!event) {
    node.append(el("span", { className: "nothing-there", textContent: "–", "aria-label": "nothing" }));
    return node;
  }
  const state = stateOf(event);
  node.dataset.state = state ?? "";
  const text = state ? STATES[state] : String(event.data?.state ?? JSON.stringify(event.data));
  const version = event.data?.version === undefined ? "" : `${event.data.version}, `;
  const since = `${version}${ago(Date.now() - Date.parse(event.created_at))}`;
  node.append(
    el(
      "span",
      {},
      el("span", { className: "what", textContent: text }),
      el("span", { className: "which", textContent: since }),
    ),
  );
  return node;
}

const draw = coalesce(() => {
  const events = [...page.feed.values.values()];
  const places = events.map(({ key = "" }) => placeOf(key));
  const environments = [...new Set(places.map(({ environment }) => environment))].sort(byOrder);
  const services = [...new Set(places.map(({ service }) => service))].sort();
  byId("environments").replaceChildren(
    ...["Service", ...environments].map((name) =>
      el("th", { role: "columnheader", scope: "col", textContent: name || "everywhere" }),
    ),
  );
  const rows = services.map((service) =>
    el(
      "tr",
      { role: "row" },
      el("th", { role: "rowheader", scope: "row", textContent: service }),
      ...environments.map((environment) =>
        cell(page.feed.values.get(environment ? `${service}/${environment}` : service), environment),
      ),
    ),
  );
  byId("services").replaceChildren(...rows);
  for (const state of Object.keys(STATES)) {
    byId(state).textContent = String(events.filter((event) => stateOf(event) === state).length);
  }
  byId("board").hidden = byId("meters").hidden = events.length === 0;
});

const page = new FeedPage({ name: "deployments", onEvent: draw, known });

for (const { event } of page.feed.values.values()) if (event === "made-up") byId("made-up").hidden = false;
draw();
setInterval(draw, 10_000); // how long ago each was
window.addEventListener("pagehide", keep);
