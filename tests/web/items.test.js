/** What a conversation shows, from top to bottom. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Quoted } from "../../src/ssechat/web/quotes.js";
import { Thread } from "../../src/ssechat/web/thread.js";
import { firstUnread, itemsOf } from "../../src/ssechat/web/views/items.js";
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
    unreadFrom: null,
    thread: new Quoted(new Thread()),
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
  assert.equal(firstUnread(messages, 1, "alice"), 3);
  assert.equal(firstUnread(messages.slice(0, 2), 1, "alice"), null);
  assert.equal(firstUnread(messages, null, "alice"), null);
  assert.deepEqual(outline(shown({ messages, unreadFrom: 3 })), [
    "day",
    "text 1",
    "text 2",
    "unread",
    "text 3",
    "text 4",
  ]);
  assert.deepEqual(outline(shown({ messages: messages.slice(0, 2), unreadFrom: null })), ["day", "text 1", "text 2"]);
});

test("what begins within a day and a group has neither a heading nor a name of its own", () => {
  const [before, ...messages] = [message(1), message(2), message(86_402)];
  const items = shown({ before, messages });
  assert.deepEqual(outline(items), ["text 2", "day", "text 86402"]);
  assert.deepEqual([items[0].first, items[2].first], [false, true]);
  assert.deepEqual(outline(shown({ before, messages: messages.slice(1) })), ["day", "text 86402"]);
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

test("an answer shows what it answers, as it stands", () => {
  const loaded = new Thread();
  loaded.applyNewest([message(1), message(2, { deleted: true, text: undefined })], false);
  const thread = new Quoted(loaded);
  thread.applyQuote(7, null);
  const quotes = [1, 2, 7, 8].map((reply_to) => shown({ messages: [message(9, { reply_to })], thread }).at(-1).quote);
  assert.deepEqual(
    quotes.map(({ seq, state, sender, text }) => [seq, state, sender, text]),
    [
      [1, "shown", "bob", "text 1"],
      [2, "deleted", "bob", ""],
      [7, "missing", "", ""],
      [8, "loading", "", ""],
    ],
  );
  const pending = [{ ...unsent("a"), reply_to: 1, mentions: ["bob"] }];
  const item = shown({ pending, thread }).at(-1);
  assert.deepEqual([item.quote.text, item.mentions], ["text 1", ["bob"]]);
});

test("a message has its reactions, its mentions and the time of its edit; a deleted one has none of it", () => {
  const more = {
    edited_at: "2026-01-01T10:00:00Z",
    mentions: ["alice"],
    reply_to: 1,
    reactions: [{ emoji: "👍", count: 1, users: ["alice"] }],
  };
  const [, item] = shown({ messages: [message(1, more)] });
  assert.deepEqual(item.reactions, [{ emoji: "👍", count: 1, users: ["alice"], mine: true }]);
  assert.deepEqual([item.mentions, item.edited.toISOString()], [["alice"], "2026-01-01T10:00:00.000Z"]);
  const [, deleted] = shown({ messages: [message(1, { ...more, deleted: true })] });
  assert.deepEqual([deleted.reactions, deleted.mentions, deleted.edited, deleted.quote], [[], [], null, null]);
});

test("a message that one may not read any more stands where it was", () => {
  const gone = /** @type {any} */ ({ conversation_id: "g:1", seq: 2, deleted: true });
  const items = shown({ messages: [message(1), gone, message(3)] });
  assert.deepEqual(outline(items), ["day", "text 1", null, "text 3"]);
  assert.deepEqual([items[2].sender, items[2].date], ["", items[1].date]);
});

test("an item's signature changes with what it looks like", () => {
  const signature = (/** @type {any} */ options) => shown(options).at(-1).signature;
  const signatures = [
    signature({ messages: [message(1)] }),
    signature({ messages: [message(1, { version: 2 })] }),
    signature({ messages: [message(1, { reply_to: 5 })] }),
    signature({ pending: [unsent("a")] }),
    signature({ pending: [{ ...unsent("a"), state: "failed" }] }),
    signature({ pending: [{ ...unsent("a"), reason: "Full." }] }),
  ];
  assert.equal(new Set(signatures).size, 6);
  assert.equal(signature({ messages: [message(1)] }), signatures[0]);
});
