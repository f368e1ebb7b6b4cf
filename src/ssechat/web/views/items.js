/** What a conversation shows, from top to bottom, as plain data. */

import { dayName, dayOf } from "../format.js";
import { isTombstone } from "../store.js";

const GROUP_WITHIN = 5 * 60_000;

/**
 * Messages, then what waits to be sent, with day separators and the line above what is unread.
 *
 * @param {object} options
 * @param {import("../client.js").Message[]} options.messages ascending
 * @param {import("../outbox.js").Entry[]} options.pending in order
 * @param {string} options.user who looks at it
 * @param {boolean} options.named whether others' names are shown
 * @param {number|null} options.unreadAfter the seq after which the line goes
 * @returns {import("./message.js").Item[]} each with a key of its own
 */
export function itemsOf({ messages, pending, user, named, unreadAfter }) {
  const items = [];
  const keys = new Set();
  let day = null;
  let previous = null;
  let lineDrawn = unreadAfter === null;

  const add = (item) => {
    const today = dayOf(item.date);
    if (today !== day) {
      day = today;
      previous = null;
      const name = dayName(item.date);
      items.push({ kind: "day", key: `day:${today}`, text: name, signature: name });
    }
    if (!lineDrawn && !item.mine && item.seq > unreadAfter) {
      lineDrawn = true;
      previous = null;
      items.push({ kind: "unread", key: "unread", text: "New messages", signature: "" });
    }
    const joined = previous && previous.sender === item.sender && item.date - previous.date < GROUP_WITHIN;
    if (joined) previous.last = false;
    previous = { ...item, kind: "message", first: !joined, last: true, named };
    items.push(previous);
  };

  for (const message of messages) {
    const mine = message.sender === user;
    // One's own message has the same key before and after it is sent, so it stays where it is on the screen.
    const own = `own:${message.client_msg_id}`;
    const key = mine && message.client_msg_id && !keys.has(own) ? own : `seq:${message.seq}`;
    keys.add(key);
    add({
      key,
      seq: message.seq,
      sender: message.sender,
      mine,
      text: isTombstone(message) ? null : message.text,
      date: new Date(message.created_at),
      state: "sent",
      version: message.version,
    });
  }
  for (const entry of pending) {
    const key = `own:${entry.client_msg_id}`;
    if (keys.has(key)) continue; // it has arrived by the stream already
    add({
      key,
      clientMessageId: entry.client_msg_id,
      seq: 0,
      sender: user,
      mine: true,
      text: entry.text,
      date: new Date(entry.order),
      state: entry.state,
      reason: entry.reason,
    });
  }
  for (const item of items) {
    if (item.kind !== "message") continue;
    item.signature = [item.state, item.version, item.reason, item.first, item.last, item.seq].join("|");
  }
  return items;
}
