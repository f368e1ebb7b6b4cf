/** Whom the user blocks. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Chat } from "../../src/ssechat/web/chat.js";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { SIGNED_IN } from "../../src/ssechat/web/storage.js";
import { Store } from "../../src/ssechat/web/store.js";
import { collect, fakeBrowser, fakeServer, latestSource, message, settle } from "./world.js";

const BOB = "dm:alice:bob";
const CAROL = "dm:alice:carol";

/** @type {Chat|null} */
let open = null;

beforeEach(() => fakeBrowser().localStorage.setItem(SIGNED_IN, "alice"));

afterEach(() => {
  open?.close();
  open = null;
});

/** A page of alice's that is live. @param {any[]} history @param {string[]} blocked */
async function page(history = [], blocked = []) {
  const server = fakeServer(history);
  server.blocked = blocked;
  const client = new ChatClient();
  const { user } = await client.session();
  const chat = new Chat(client, user);
  open = chat;
  chat.start();
  await settle();
  latestSource().event("hello", { resumed: false }, "1-a");
  await settle();
  return { chat, server };
}

/** @param {boolean} blocked */
const block = (blocked, user = "bob") => ({ conversation_id: `dm:alice:${user}`, user, blocked });

test("a block is a conversation's own, and goes with an event or a page that does not have it", () => {
  const store = new Store("alice");
  const changes = collect(store, "change");
  assert.equal(store.apply("block", block(true)), false, "a conversation that is not known is not made");
  assert.equal(store.conversation(BOB), undefined);
  store.addConversations([{ id: BOB, blocked: true }], null);
  assert.equal(store.ensure(BOB).blocked, true);
  assert.equal(store.apply("block", block(true)), false);
  assert.equal(store.apply("block", block(false)), true);
  assert.equal(store.ensure(BOB).blocked, undefined);
  assert.equal(store.apply("block", block(true)), true);
  assert.deepEqual(changes, [null, BOB, BOB]);
  store.replaceConversations([{ id: BOB }], null, [], () => true);
  assert.equal(store.ensure(BOB).blocked, undefined);
});

test("who is blocked is so as soon as the server says so, without an event", async () => {
  const { chat, server } = await page([message(1)]);
  await chat.blocks.add("bob");
  await settle();
  assert.deepEqual([server.blocked, chat.store.ensure(BOB).blocked], [["bob"], true]);
  await chat.blocks.remove("bob");
  await settle();
  assert.deepEqual([server.blocked, chat.store.ensure(BOB).blocked], [[], undefined]);
  await chat.blocks.add("carol");
  await settle();
  assert.equal(chat.store.conversation(CAROL), undefined, "one that nobody has opened is not made");
});

test("a conversation in which nobody has written says whether the other one is blocked", async () => {
  const { chat } = await page([], ["carol"]);
  chat.openConversation(chat.direct("carol"));
  await settle();
  assert.equal(chat.store.ensure(CAROL).blocked, true);
  chat.openConversation(null);
  assert.deepEqual(chat.list, [], "it is not listed for that");
});

test("a block on another device is told to whoever shows the list", async () => {
  const { chat } = await page([message(1)], ["carol"]);
  const changes = collect(chat.blocks, "change");
  latestSource().event("block", block(true), "2-a");
  await settle();
  assert.equal(chat.store.ensure(BOB).blocked, true);
  latestSource().event("block", block(false, "dave"), "3-a");
  await settle();
  assert.deepEqual(changes, [block(true), block(false, "dave")]);
  assert.deepEqual(await chat.blocks.page(null), { blocks: [{ user: "carol" }], next: null });
});

test("a conversation that a page lacks and that stays is asked for again after a reset", async () => {
  const { chat, server } = await page([message(1)]);
  chat.openConversation(BOB);
  await settle();
  server.history = [];
  server.blocked = ["bob"];
  latestSource().event("reset", { reason: "expired" }, "9-a");
  await settle();
  assert.equal(chat.store.ensure(BOB).blocked, true);
});
