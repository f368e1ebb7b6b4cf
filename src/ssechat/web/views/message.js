/** The elements of a message. */

import { clock, exactTime } from "../format.js";
import { say, sayCount, sayList } from "../texts/language.js";
import { el, hue } from "./dom.js";
import { isLarge, isLong, messageText } from "./text.js";
import { ticks } from "./ticks.js";

/** @typedef {import("./items.js").MessageItem} MessageItem */

/**
 * What a message's own buttons do.
 *
 * @typedef {object} Actions
 * @property {string} user the signed-in user
 * @property {() => void} retry sends a refused message again
 * @property {() => void} edit puts a refused message back into the composer
 * @property {() => void} discard
 * @property {(seq: number) => void} jump shows the message that this one answers
 * @property {(emoji: string) => void} react
 * @property {Set<string>} unfolded the keys of long messages that are shown whole
 */

/** A day's heading, or the line above what is unread. @param {import("./items.js").Separator} item */
export function separator({ kind, text }) {
  return el("li", { className: `separator ${kind}` }, el("span", { textContent: text }));
}

/** A message, or one still to be sent. @param {MessageItem} item @param {Actions} actions */
export function messageItem(item, actions) {
  const { mine, state, first, last, named, sender, called, text, quote, mentions } = item;
  const classes = [
    "message",
    mine ? "mine" : "theirs",
    state,
    first && "first",
    last && "last",
    text === null && "gone",
    text !== null && !quote && isLarge(text) && "emoji",
  ];
  const said = mine ? say("you_prefix") : sender && `${called || sender}: `;
  const bubble = el(
    "div",
    { className: "bubble" },
    named &&
      first &&
      !mine &&
      sender &&
      el(
        "div",
        { className: `name ${hue(sender)}`, dir: "auto" },
        called || sender,
        called && el("span", { className: "handle", dir: "ltr", textContent: sender }),
      ),
    said && el("span", { className: "hidden", textContent: said }),
    quote && quoteButton(quote, actions),
    // The direction follows from the text alone: dir=auto skips elements that have a dir of their own.
    el(
      "div",
      { className: "content", dir: "auto" },
      text === null
        ? el("span", { className: "text deleted", textContent: say("deleted_message") })
        : foldable(item.key, messageText(text, mentions, actions.user), isLong(text), actions),
      meta(item),
    ),
  );
  const failed = state === "failed";
  const note = failed ? failure(item.reason, actions) : state === "queued" && item.reason && waiting(item.reason);
  return el("li", { className: classes.filter(Boolean).join(" ") }, bubble, reactions(item, actions), note);
}

/**
 * A text of which only the beginning is shown, if it is long, and the button that shows the rest.
 *
 * @param {string} key
 * @param {HTMLElement} text
 * @param {boolean} long
 * @param {Actions} actions
 */
function foldable(key, text, long, { unfolded }) {
  if (!long) return text;
  const show = (/** @type {boolean} */ whole) => {
    text.classList.toggle("folded", !whole);
    text.scrollTop = 0;
    button.textContent = say(whole ? "show_less" : "show_more");
    button.setAttribute("aria-expanded", String(whole));
    if (whole) unfolded.add(key);
    else unfolded.delete(key);
  };
  const button = el("button", { type: "button", className: "link fold", onclick: () => show(!unfolded.has(key)) });
  text.addEventListener("focusin", () => show(true)); // a link that has the focus must be in view
  show(unfolded.has(key));
  return el("div", { className: "foldable" }, text, button);
}

/** The time, whether it was edited, and whether it is sent. @param {MessageItem} item */
function meta(item) {
  const { mine, text, date, edited } = item;
  return el(
    "div",
    { className: "meta", dir: "ltr" },
    edited &&
      el("span", {
        className: "edited",
        title: say("edited_at", { time: exactTime(edited) }),
        textContent: say("edited"),
      }),
    el("time", { dateTime: date.toISOString(), title: exactTime(date), textContent: clock(date) }),
    mine && text !== null && ticks(item),
  );
}

/** @param {import("./items.js").Quote} quote @param {Actions} actions */
function quoteButton({ seq, state, sender, text }, { user, jump }) {
  const words = { shown: text, deleted: say("deleted_quote"), missing: say("unreadable_quote"), loading: "…" };
  const who = sender === user ? say("you") : sender;
  return el(
    "button",
    {
      type: "button",
      className: `quote ${state}`,
      tabIndex: -1,
      disabled: state === "missing",
      title: say("quote_hint"),
      onclick: () => jump(seq),
    },
    el("span", { className: "hidden", textContent: `${say("in_reply_to")} ` }),
    who && el("span", { className: "who", dir: "auto", textContent: who }),
    el("span", { className: "excerpt", dir: "auto", textContent: words[state] }),
  );
}

/** @param {MessageItem} item @param {Actions} actions */
function reactions(item, { user, react }) {
  if (!item.reactions.length) return null;
  return el(
    "div",
    { className: "reactions", role: "group", "aria-label": say("reactions") },
    ...item.reactions.map(({ emoji, count, users, mine }) => {
      const people = reactedBy(users, count, user);
      return el(
        "button",
        {
          type: "button",
          className: "reaction",
          tabIndex: -1,
          title: people,
          "aria-pressed": String(mine),
          "aria-label": `${emoji}${count} ${people}`,
          onclick: () => react(emoji),
        },
        el("span", { textContent: emoji }),
        el("span", { className: "count", textContent: String(count) }),
      );
    }),
  );
}

/** `alice, you and 3 others` @param {string[]} users @param {number} count @param {string} user */
function reactedBy(users, count, user) {
  const others = count - users.length;
  const names = users.map((one) => (one === user ? say("you_among") : one));
  if (others > 0) names.push(sayCount("other_reactions", others));
  return sayList(names);
}

/** @param {string} reason */
function waiting(reason) {
  return el("p", { className: "waiting", role: "status", textContent: say("waiting", { reason }) });
}

/** @param {string|undefined} reason @param {Actions} actions */
function failure(reason, { retry, edit, discard }) {
  return el(
    "div",
    { className: "failure", role: "alert" },
    el("span", { textContent: say("failed", { reason: reason ?? "" }) }),
    el("button", { type: "button", className: "link", textContent: say("try_again"), onclick: retry }),
    el("button", { type: "button", className: "link", textContent: say("edit"), onclick: edit }),
    el("button", { type: "button", className: "link", textContent: say("delete"), onclick: discard }),
  );
}
