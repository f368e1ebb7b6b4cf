/** What messages refer to beyond themselves: those that they answer, and the user's reactions. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError } from "../../src/ssechat/web/http.js";
import { Quoted } from "../../src/ssechat/web/quotes.js";
import { Thread } from "../../src/ssechat/web/thread.js";
import { BOB, history, loading } from "./loading.js";
import { message } from "./world.js";

test("a message that another one answers is known though it is outside the range, in its newest version", () => {
  const thread = new Thread();
  const quoted = new Quoted(thread);
  thread.applyNewest([message(90), message(91)], true);
  assert.deepEqual([quoted.quoted(91)?.seq, quoted.quoted(5), quoted.asksFor(91)], [91, undefined, false]);
  assert.deepEqual([quoted.asksFor(5), quoted.asksFor(5)], [true, false]);
  assert.equal(quoted.apply(message(5, { version: 9, text: "edited" })), true);
  assert.equal(quoted.applyQuote(5, message(5)), false); // the answer is older than the event
  assert.deepEqual([quoted.quoted(5)?.text, thread.get(5)], ["edited", undefined]);
  quoted.applyQuote(6, null);
  assert.deepEqual([quoted.quoted(6), quoted.asksFor(6)], [null, false]);
});

test("whether a user has reacted is told by the message, or by what was asked", () => {
  const quoted = new Quoted(new Thread());
  const one = message(1, { reactions: [{ emoji: "a", count: 2, users: ["alice", "bob"] }] });
  assert.deepEqual([quoted.reacted(one, "a", "alice"), quoted.reacted(one, "a", "carol")], [true, false]);
  assert.equal(quoted.reacted(one, "b", "alice"), false);
  const many = message(1, { reactions: [{ emoji: "a", count: 5, users: ["bob", "carol", "dora"] }] });
  assert.equal(quoted.reacted(many, "a", "alice"), undefined);
  quoted.noteReacted(1, "a", true);
  assert.equal(quoted.reacted(many, "a", "alice"), true);
});

test("a message that another one answers is asked for once", async () => {
  const client = history(9);
  /** @type {number[]} */
  const asked = [];
  const { quotes, thread } = loading({
    ...client,
    async message(_, seq) {
      asked.push(seq);
      return { message: client.every[seq - 1], etag: null };
    },
  });
  thread.applyNewest([message(9, { reply_to: 2 })], true);
  await Promise.all([quotes.load(BOB, 2), quotes.load(BOB, 2)]);
  await quotes.load(BOB, 9);
  assert.deepEqual([asked, quotes.of(BOB).quoted(2)?.text], [[2], "text 2"]);
});

test("a message that cannot be read is no quote", async () => {
  const { quotes } = loading({ message: () => Promise.reject(new RequestError(404)) });
  await quotes.load(BOB, 2);
  assert.equal(quotes.of(BOB).quoted(2), null);
});

test("an event about a message that another one answers changes the quote, and only that", async () => {
  const { quotes, store } = loading(history(9));
  quotes.receive(message(2, { conversation_id: "dm:alice:carol" }));
  assert.equal(store.conversation("dm:alice:carol"), undefined, "of what is not known nothing is kept");
  await quotes.load(BOB, 2);
  /** @type {(string|null)[]} */
  const changes = [];
  store.on("change", (id) => changes.push(id));
  quotes.receive(message(3, { version: 9, text: "edited" }));
  quotes.receive(message(2, { version: 9, text: "edited" }));
  assert.deepEqual([changes, quotes.of(BOB).quoted(2)?.text, quotes.of(BOB).quoted(3)], [[BOB], "edited", undefined]);
  store.dropThread(BOB);
  assert.equal(quotes.of(BOB).quoted(2), undefined, "a thread that is loaded anew begins without");
});
