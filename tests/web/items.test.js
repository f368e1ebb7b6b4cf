/** What a conversation shows, from top to bottom. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Thread } from "../../src/ssechat/web/thread.js";
import { itemsOf } from "../../src/ssechat/web/views/items.js";
import { fakeBrowser, message } from "./world.js";

beforeEach(() => {
  fakeBrowser();
});

/** @param {Partial<Parameters<typeof itemsOf>[0]>} options @returns {any[]} */
const shown = (options) =>
  itemsOf({
    messages: [],
    pending: [],
    user: "alice",
    named: false,
    unreadAfter: null,
    thread: new Thread(),
    ...options,
  });

/** @param {any[]} items */
const outline = (items) => items.map((item) => (item.kind === "message" ? item.text : item.kind));

/** @param {string} client_msg_id @returns {any} */
const unsent = (client_msg_id) => ({ client_msg_id, text: "unsent", order: Date.now(), state: "queued" });

test("a day's messages stand under its heading", () => {
  const later = new Date(Date.UTC(2026, 0, 3)).toISOString();
  const items = shown({ messages: [message(1), message(2), message(3, { created_at: later })] });
  assert.deepEqual(outline(items), ["day", "text 1", "text 2", "day", "text 3"]);
});

test("messages of one sender within five minutes form a group", () => {
  const messages = [message(1), message(2), message(299), message(700), message(701, { sender: "carol" })];
  const groups = shown({ messages }).flatMap((item) => (item.kind === "message" ? [[item.first, item.last]] : []));
  assert.deepEqual(groups, [
    [true, false],
    [false, false],
    [false, true],
    [true, true],
    [true, true],
  ]);
});

test("the line of the unread stands above the first message of somebody else that is unread", () => {
  const messages = [message(1), message(2, { sender: "alice" }), message(3), message(4)];
  assert.deepEqual(outline(shown({ messages, unreadAfter: 1 })), [
    "day",
    "text 1",
    "text 2",
    "unread",
    "text 3",
    "text 4",
  ]);
  assert.deepEqual(outline(shown({ messages: messages.slice(0, 2), unreadAfter: 1 })), ["day", "text 1", "text 2"]);
});

test("an own message keeps its key when it is sent, and is shown once", () => {
  const [, before] = shown({ pending: [unsent("a")] });
  const messages = [message(1, { sender: "alice", client_msg_id: "a" })];
  const [, after, ...others] = shown({ messages, pending: [unsent("a")] });
  assert.deepEqual([after.key, after.state, others], [before.key, "sent", []]);
});

test("two messages with one client's id have keys of their own", () => {
  const messages = [1, 2].map((seq) => message(seq, { sender: "alice", client_msg_id: "a" }));
  assert.equal(new Set(shown({ messages }).map(({ key }) => key)).size, 3);
});

test("a deleted message has no text", () => {
  assert.equal(shown({ messages: [message(1, { deleted: true })] })[1].text, null);
});

test("an item's signature changes with what it looks like", () => {
  const signature = (/** @type {any} */ options) => shown(options).at(-1).signature;
  const signatures = [
    signature({ messages: [message(1)] }),
    signature({ messages: [message(1, { version: 2 })] }),
    signature({ pending: [unsent("a")] }),
    signature({ pending: [{ ...unsent("a"), state: "failed" }] }),
    signature({ pending: [{ ...unsent("a"), reason: "Full." }] }),
  ];
  assert.equal(new Set(signatures).size, 5);
  assert.equal(signature({ messages: [message(1)] }), signatures[0]);
});
