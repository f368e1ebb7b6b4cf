/** The items of a conversation view, from top to bottom, as plain data. */

import { isTombstone } from "../conversation.js";
import { dayName, dayOf } from "../format.js";
import { shownText } from "../markdown.js";
import { progressOf } from "../progress.js";
import { language, say } from "../texts/language.js";
import { indexOf } from "./window.js";

/** Milliseconds within which messages of one sender form a group. */
const GROUP_WITHIN = 5 * 60_000;

/**
 * @typedef {object} Content
 * @property {string} key the same while the item is shown
 * @property {number} seq 0 for an unsent message
 * @property {string} [clientMessageId] of an unsent message
 * @property {string} sender
 * @property {boolean} mine
 * @property {string|null} text null for a deleted message
 * @property {Date} date
 * @property {"sent"|"queued"|"failed"} state
 * @property {string|undefined} [reason] why it was refused, or is not sent yet
 * @property {import("../client.js").Message} [message] as the server has it; none for an unsent message
 * @property {Date|null} edited when its text was changed
 * @property {string[]} mentions the users whom it mentions
 * @property {Quote|null} quote the message that it answers
 * @property {Reaction[]} reactions
 * @property {import("../progress.js").Progress|null} progress how far one's own message has come with the others
 */

/**
 * The message that another one answers.
 *
 * @typedef {object} Quote
 * @property {number} seq
 * @property {"shown"|"deleted"|"missing"|"loading"} state
 * @property {string} sender
 * @property {string} text
 */

/** @typedef {import("../client.js").Reaction & {mine: boolean}} Reaction */

/**
 * A message with its position in a group.
 *
 * @typedef {object} Place
 * @property {"message"} kind
 * @property {string} signature changes when the item looks different
 * @property {boolean} first whether it begins a group of one sender
 * @property {boolean} last whether it ends the group
 * @property {boolean} named whether to show the sender
 * @property {string} called the name that the sender has chosen; empty if there is none, or it is not shown
 */

/** @typedef {Content & Place} MessageItem */
/** @typedef {{kind: "day"|"unread", key: string, signature: string, text: string}} Separator */
/** @typedef {MessageItem|Separator} Item */

/**
 * Returns messages, then unsent messages, with day separators and the line above the unread messages.
 *
 * @param {object} options
 * @param {import("../client.js").Message[]} options.messages ascending
 * @param {import("../client.js").Message} [options.before] the message before the first one, which is not shown
 * @param {import("../outbox.js").Entry[]} options.pending in order
 * @param {string} options.user the signed-in user's id
 * @param {boolean} options.named whether others' names are shown
 * @param {(user: string) => string} [options.called] the name that somebody has chosen; empty if there is none
 * @param {number|null} options.unreadFrom the seq of the message above which the line is placed
 * @param {Pick<import("../thread.js").Thread, "quoted"|"reacted">} options.thread knows more of the messages
 * @param {import("../progress.js").Receipt[]|null} [options.receipts] of the others
 * @returns {Item[]} each with a key of its own
 */
export function itemsOf(options) {
  const { messages, before, pending, user, named, called = () => "", unreadFrom, thread, receipts = null } = options;
  /** @type {Item[]} */
  const items = [];
  const keys = new Set();
  /** @type {number|null} */
  let day = null;
  /** @type {MessageItem|null} */
  let previous = null;
  let latest = new Date(0); // stands in for the time of what one may not read any more

  const add = (/** @type {Content} */ content) => {
    const today = dayOf(content.date);
    if (today !== day) {
      day = today;
      previous = null;
      const name = dayName(content.date);
      items.push({ kind: "day", key: `day:${today}`, text: name, signature: name });
    }
    if (content.seq && content.seq === unreadFrom) {
      previous = null;
      items.push({ kind: "unread", key: "unread", text: say("new_messages"), signature: "" });
    }
    const apart = previous ? content.date.getTime() - previous.date.getTime() : Number.POSITIVE_INFINITY;
    const joined = previous?.sender === content.sender && apart < GROUP_WITHIN;
    if (previous && joined) previous.last = false;
    previous = { ...content, kind: "message", first: !joined, last: true, named, called: "", signature: "" };
    if (named && !content.mine && content.sender) previous.called = called(content.sender);
    items.push(previous);
  };

  for (const message of before ? [before, ...messages] : messages) {
    const mine = message.sender === user;
    // The user's own message has the same key before and after it is sent, so it stays where it is on the screen.
    const own = `own:${message.client_msg_id}`;
    const key = mine && message.client_msg_id && !keys.has(own) ? own : `seq:${message.seq}`;
    keys.add(key);
    latest = message.created_at ? new Date(message.created_at) : latest;
    const progress = mine ? progressOf(receipts, message.seq) : null;
    add({ ...contentOf(message, thread, user), key, mine, date: latest, progress });
  }
  // The message before the first one decides what stands above that, and goes with its own day.
  if (before) items.splice(0, items.findIndex((item) => item.kind === "message") + 1);
  for (const entry of pending) {
    const key = `own:${entry.client_msg_id}`;
    if (keys.has(key)) continue; // the stream has delivered it already
    add({
      key,
      clientMessageId: entry.client_msg_id,
      seq: 0,
      sender: user,
      mine: true,
      text: entry.text,
      date: new Date(entry.order),
      state: entry.state,
      reason: entry.reason && language.problem({ message: entry.reason, code: entry.code }),
      edited: null,
      mentions: entry.mentions ?? [],
      quote: quoteOf(entry.reply_to, thread),
      reactions: [],
      progress: null,
    });
  }
  for (const item of items) {
    if (item.kind !== "message") continue;
    const { state, reason, first, last, seq, quote, reactions, message, called: shownAs, progress } = item;
    item.signature = JSON.stringify([
      ...[state, message?.version, reason, first, last, seq, quote, reactions, shownAs, progress],
    ]);
  }
  return items;
}

/**
 * The seq of the first unread message of somebody else.
 *
 * @param {import("../client.js").Message[]} messages ascending
 * @param {number|null} readUpTo null if all is read
 * @param {string} user
 */
export function firstUnread(messages, readUpTo, user) {
  if (readUpTo === null) return null;
  return messages.slice(indexOf(messages, readUpTo + 1)).find(({ sender }) => sender !== user)?.seq ?? null;
}

/**
 * What a message shows by itself.
 *
 * @param {import("../client.js").Message} message
 * @param {Pick<import("../thread.js").Thread, "quoted"|"reacted">} thread
 * @param {string} user
 * @returns {Omit<Content, "key"|"mine"|"date"|"progress">}
 */
function contentOf(message, thread, user) {
  const { seq, sender = "", edited_at, mentions = [], reply_to } = message;
  const state = "sent";
  if (isTombstone(message)) {
    return { message, seq, sender, text: null, state, edited: null, mentions: [], quote: null, reactions: [] };
  }
  const edited = edited_at ? new Date(edited_at) : null;
  const quote = quoteOf(reply_to, thread);
  return {
    message,
    seq,
    sender,
    text: message.text,
    state,
    edited,
    mentions,
    quote,
    reactions: reactionsOf(message, thread, user),
  };
}

/**
 * @param {number|undefined} seq
 * @param {Pick<import("../thread.js").Thread, "quoted">} thread
 * @returns {Quote|null}
 */
function quoteOf(seq, thread) {
  if (!seq) return null;
  const quoted = thread.quoted(seq);
  const sender = quoted?.sender ?? "";
  if (!quoted) return { seq, state: quoted === null ? "missing" : "loading", sender, text: "" };
  if (isTombstone(quoted)) return { seq, state: "deleted", sender, text: "" };
  return { seq, state: "shown", sender, text: shownText(quoted.text.slice(0, 200)).replace(/\s+/g, " ") };
}

/**
 * @param {import("../client.js").Message} message
 * @param {Pick<import("../thread.js").Thread, "reacted">} thread
 * @param {string} user
 * @returns {Reaction[]}
 */
function reactionsOf(message, thread, user) {
  const reactions = message.reactions ?? [];
  return reactions.map((one) => ({ ...one, mine: thread.reacted(message, one.emoji, user) ?? false }));
}
