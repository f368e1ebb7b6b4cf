/** Creates elements. Users' text becomes text nodes, never markup. */

const SVG = "http://www.w3.org/2000/svg";
/** @type {Record<string, string>} */
const ICONS = {
  back: "M15 5l-7 7 7 7",
  send: "M5 12h13M12 5l7 7-7 7",
  clock: "M12 7v5l3 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  check: "M5 13l4.500 4.500L19 7",
  checks: "M1.500 13l4.500 4.500L15 7M11.500 16l1.500 1.500L22.500 7",
  warning: "M12 8v5M12 16.500v.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  down: "M12 5v14M5 12l7 7 7-7",
  up: "M12 19V5M5 12l7-7 7 7",
  leave: "M10 4H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h4M15 8l4 4-4 4M19 12H9",
  note: "M6 3h8l5 5v11a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM8 12h8M8 16h5",
  pencil: "M4 20l1-4L16.500 4.500a2.100 2.100 0 0 1 3 3L8 19l-4 1z",
  search: "M20 20l-4-4M18 11a7 7 0 1 1-14 0 7 7 0 0 1 14 0z",
  smile: "M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0zM8.500 14a4 4 0 0 0 7 0M9 9.500v.01M15 9.500v.01",
  reply: "M10 6l-6 5 6 5M4 11h9a7 7 0 0 1 7 7",
  bin: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
  people:
    "M12.500 8a3.500 3.500 0 1 1-7 0 3.500 3.500 0 0 1 7 0zM2.500 20a6.500 6.500 0 0 1 13 0M16 5" +
    "a3.500 3.500 0 0 1 0 6.500M18 14.500a6.500 6.500 0 0 1 3.500 5.500",
  new_group:
    "M12.500 8a3.500 3.500 0 1 1-7 0 3.500 3.500 0 0 1 7 0zM2.500 20a6.500 6.500 0 0 1 13 0" +
    "M18.500 7.500v6M15.500 10.500h6",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l1.500 2h-15zM10 21h4",
  bell_off: "M8 6.500A6 6 0 0 1 18 11v4M6 10v6l-1.500 2H17M10 21h4M4 4l16 16",
  close: "M6 6l12 12M18 6L6 18",
  block: "M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0zM5.800 5.800l12.400 12.400",
  more: "M5.500 12v.01M12 12v.01M18.500 12v.01",
  horn: "M4 10v4h3l8 4V6L7 10zM18.500 9.500a4 4 0 0 1 0 5M8 14l1.500 5.500h2.500L11 16",
  cloud: "M4 4l16 16M7 10a4.500 4.500 0 0 0 .5 9H17M11 6.500a5.500 5.500 0 0 1 6.800 4.600A4 4 0 0 1 20.500 17",
};

/**
 * Creates an element. Properties are set as properties (`className`, `textContent`, `onclick` …), those with a
 * dash and `role`, `for` as attributes; null and false are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} properties
 * @param {...(Node|string|false|null|undefined)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.includes("-") || name === "role" || name === "for") node.setAttribute(name, value === true ? "" : value);
    else Reflect.set(node, name, value);
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}

/** A line icon, hidden from screen readers. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name] ?? "");
  svg.append(path);
  return svg;
}

/** The logo. */
export function logo() {
  const href = document.querySelector('link[rel="icon"]')?.getAttribute("href") ?? "";
  return el("img", { className: "logo", src: href, alt: "" });
}

/** The class of a name's colour. @param {string} name */
export function hue(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return `hue-${hash % 8}`;
}

/**
 * A coloured disc with a name's first letters; the colour follows from the name. A group has a square.
 *
 * @param {string} name
 * @param {{note?: boolean, group?: boolean, called?: string, picture?: string}} options `called` is whose letters are
 *   shown instead, `picture` the URL of what covers them once it is loaded
 */
export function avatar(name, { note = false, group = false, called = "", picture = "" } = {}) {
  const words = (called || name).match(/\p{L}+/gu) ?? [called || name];
  const letters = words
    .slice(0, 2)
    .map((word) => [...word].slice(0, 1))
    .join("");
  const disc = el("span", {
    className: `avatar ${note ? "hue-0" : hue(name)}${group ? " square" : ""}`,
    "aria-hidden": "true",
  });
  disc.append(note ? icon("note") : letters.toUpperCase());
  if (picture) disc.append(photo(picture));
  return disc;
}

/** A picture of somebody; what is behind it shows where it cannot be loaded. @param {string} src */
function photo(src) {
  // Its host is a stranger's: it learns no page, and nothing before the picture is in view.
  const image = el("img", { alt: "", loading: "lazy", decoding: "async", referrerPolicy: "no-referrer" });
  image.addEventListener("error", () => image.remove());
  image.src = src;
  return image;
}

/** Has a screen reader say a text, after what it is saying now. @param {string} text */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  const line = el("p", { textContent: text });
  announcer?.append(line);
  setTimeout(() => line.remove(), 10_000);
}

/** Whether the page is visible and has the focus. */
export function isWatched() {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** Milliseconds for which a press holds up what is to be drawn, at most. */
const PRESS = 1_000;

/**
 * Returns a function that schedules one call of `draw` for any number of calls. Hidden pages draw too, more slowly.
 * While something is pressed it waits: an element that is drawn anew before the release gets no click.
 *
 * @param {() => void} draw
 */
export function coalesce(draw) {
  let waiting = false;
  let since = 0;
  const run = () => {
    if (document.documentElement.matches(":active") && performance.now() - since < PRESS) {
      schedule();
      return;
    }
    waiting = false;
    draw();
  };
  const schedule = () => {
    if (document.hidden) setTimeout(run, 50);
    else requestAnimationFrame(run);
  };
  return () => {
    if (waiting) return;
    waiting = true;
    since = performance.now();
    schedule();
  };
}
