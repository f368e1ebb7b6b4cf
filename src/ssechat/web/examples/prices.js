/** A ticker: draws the prices that have changed, once a frame. */

import { numberOf } from "../feeds.js";
import { coalesce, el } from "../views/dom.js";
import { age, byId, FeedPage } from "./feed_page.js";

/** @typedef {import("../feeds.js").FeedEvent} FeedEvent */

/** `+1.2`, `−0.4`, `0.0` */
const PERCENT = new Intl.NumberFormat("en", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
  signDisplay: "exceptZero",
});

/** What is shown of one symbol. */
class Cell {
  #price = document.createTextNode("");
  #change = document.createTextNode("");
  #moved = el("span", { className: "change" }, this.#change);
  #shown = Number.NaN;

  /** @param {string} symbol */
  constructor(symbol) {
    this.symbol = symbol;
    const price = el("span", { className: "price" }, this.#price);
    this.node = el("li", {}, el("b", { textContent: symbol, title: symbol }), price, this.#moved);
  }

  /** @param {any} data a number, or `{price, change}` with the change of the day in percent */
  show(data) {
    const price = Number(data?.price ?? data);
    const change = Number(data?.change);
    const direction = Number.isNaN(change) ? price - this.#shown : change;
    const text = Number.isFinite(price) ? price.toFixed(2) : JSON.stringify(data);
    const arrow = direction > 0 ? "▲" : direction < 0 ? "▼" : "";
    const moved = Number.isNaN(change) ? arrow : `${PERCENT.format(change)} %`;
    this.#shown = price;
    if (this.#price.data !== text) this.#price.data = text;
    if (this.#change.data !== moved) this.#change.data = moved;
    const name = `change ${direction > 0 ? "up" : direction < 0 ? "down" : ""}`;
    if (this.#moved.className !== name) this.#moved.className = name;
  }
}

/** @type {Map<string, Cell>} */
const cells = new Map();
/** @type {Set<string>} the symbols that have changed since the last frame */
const changed = new Set();
/** @type {FeedEvent|null} */
let newest = null;
let received = 0;
let published = 0;

const list = byId("prices");
const draw = coalesce(() => {
  const added = [];
  for (const symbol of changed) {
    const event = page.feed.values.get(symbol);
    let cell = cells.get(symbol);
    if (!event) {
      cell?.node.remove();
      cells.delete(symbol);
      continue;
    }
    if (!cell) {
      cell = new Cell(symbol);
      cells.set(symbol, cell);
      added.push(cell);
    }
    cell.show(event.data);
  }
  changed.clear();
  if (added.length) {
    const sorted = [...cells.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
    list.replaceChildren(...sorted.map(({ node }) => node));
  }
});

const page = new FeedPage({
  name: "prices",
  onEvent: (event) => {
    if (event.key === undefined) return;
    received++;
    newest = event;
    changed.add(event.key);
    draw();
  },
});

/** What came within the last second; ids are numbers without gaps, and so say what was published. */
function measure() {
  const last = numberOf(page.feed.known.cursor);
  if (newest) byId("meters").hidden = false;
  byId("symbols").textContent = String(page.feed.values.size);
  byId("published").textContent = published ? Math.max(0, last - published).toLocaleString("en") : "0";
  byId("received").textContent = received.toLocaleString("en");
  byId("age").textContent = newest ? age(Date.now() - Date.parse(newest.created_at)) : "–";
  published = last;
  received = 0;
}

setInterval(measure, 1000);
