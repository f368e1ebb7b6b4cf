/** A kind of events is an entry in the registry: the made-up ones here reach the state with no other line changed. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Chat } from "../../src/ssechat/web/chat.js";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { KINDS } from "../../src/ssechat/web/kinds.js";
import { collect, FakeSource, fakeBrowser, fakeServer, latestSource, message, settle } from "./world.js";

const BOB = "dm:alice:bob";

/** @type {(() => void)[]} */
let closing = [];

beforeEach(() => {
  fakeBrowser();
  closing = [];
});

afterEach(() => {
  for (const close of closing) close();
});

/**
 * A page that is live, with kinds beyond those of the registry.
 *
 * @param {[string, import("../../src/ssechat/web/kinds.js").Kind][]} more
 */
async function live(more = []) {
  const server = fakeServer([message(1)]);
  const client = new ChatClient({ kinds: new Map([...KINDS, ...more]) });
  const { user } = await client.session();
  const chat = new Chat(client, user);
  closing.push(() => chat.close());
  chat.start();
  await settle();
  latestSource().event("hello", { resumed: false }, "1-a");
  await settle();
  return { chat, client, server, changes: collect(chat, "change"), reloads: collect(client, "reload") };
}

/** @param {Chat} chat @returns {any} */
const bob = (chat) => chat.store.ensure(BOB);

test("a made-up durable kind changes the state and the cursor, and is applied on top of a page under way", async () => {
  const { chat, client, server, changes, reloads } = await live([
    [
      "poll",
      {
        durable: true,
        apply(store, { conversation_id, question }) {
          const conversation = /** @type {any} */ (store.ensure(conversation_id));
          if (conversation.last_message?.text === question) return false;
          conversation.last_message = { ...conversation.last_message, text: question };
          return true;
        },
      },
    ],
  ]);
  const polls = collect(client, "poll");
  const poll = { conversation_id: BOB, question: "Lunch?" };
  const loaded = chat.loadConversations(); // whose page still says `text 1`
  latestSource().event("poll", poll, "2-b");
  assert.deepEqual([polls, changes, bob(chat).last_message.text], [[poll], [BOB], "Lunch?"]);
  await loaded;
  assert.equal(bob(chat).last_message.text, "Lunch?");
  latestSource().event("poll", poll, "2-b"); // replayed
  latestSource().event("ping", { id: "2-b" });
  await settle();
  assert.deepEqual([changes, reloads, FakeSource.made.length], [[BOB, null], [], 1]);
  assert.ok(server.requests.length > 0);
});

test("a made-up ephemeral kind changes the state, and is neither kept nor moves the cursor", async () => {
  const { chat, changes, reloads } = await live([
    [
      "waving",
      {
        durable: false,
        apply(store, { conversation_id, user }) {
          /** @type {any} */ (store.ensure(conversation_id)).waving = user;
          return true;
        },
      },
    ],
  ]);
  const journal = chat.store.journal();
  latestSource().event("waving", { conversation_id: BOB, user: "bob" });
  assert.deepEqual([changes, bob(chat).waving, journal.events], [[BOB], "bob", []]);
  latestSource().event("ping", { id: "1-a" });
  await settle();
  assert.deepEqual([reloads, FakeSource.made.length], [[], 1]);
});

test("a made-up kind may do more with a live event than change the state", async () => {
  /** @type {any[]} */
  const received = [];
  const { chat } = await live([["call", { durable: true, received: (...values) => received.push(...values) }]]);
  latestSource().event("call", { from: "bob" }, "2-b");
  assert.deepEqual(received, [chat, { from: "bob" }]);
});

test("an event of an unknown kind is ignored, and its id moves the cursor", async () => {
  const { chat, client, changes, reloads } = await live();
  const heard = collect(client, "unheard_of");
  latestSource().event("unheard_of", { conversation_id: BOB }, "2-b");
  latestSource().event("ping", { id: "2-b" });
  await settle();
  assert.deepEqual([heard, changes, reloads, FakeSource.made.length], [[], [], [], 1]);
  latestSource().fail({ gaveUp: true });
  chat.wake();
  await settle();
  assert.match(latestSource().url, /last_event_id=2-b$/);
});

test("the events of messages replace what is known of the message by its newest version", async () => {
  const { chat } = await live();
  latestSource().event("message.updated", message(1, { version: 2, text: "edited" }), "2-b");
  assert.equal(bob(chat).last_message.text, "edited");
  latestSource().event("message.deleted", message(1, { version: 3, text: undefined, deleted: true }), "3-c");
  latestSource().event("message", message(1), "4-d");
  assert.equal(bob(chat).last_message.deleted, true);
});
