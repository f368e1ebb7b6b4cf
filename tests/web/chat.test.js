/** Everything of one signed-in user, joined: client, state, outbox and read marks. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Chat } from "../../src/ssechat/web/chat.js";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { Records } from "../../src/ssechat/web/records.js";
import { SIGNED_IN } from "../../src/ssechat/web/storage.js";
import { collect, FakeSource, fakeBrowser, fakeServer, latestSource, message, pass, settle } from "./world.js";

const BOB = "dm:alice:bob";

/** @type {Chat[]} */
let chats = [];
/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
  browser.localStorage.setItem(SIGNED_IN, "alice");
  chats = [];
});

afterEach(() => {
  for (const chat of chats) chat.close();
});

/** A page of alice's, not live yet. @param {any[]} history */
async function page(history = []) {
  const server = fakeServer(history);
  const client = new ChatClient();
  const { user } = await client.session();
  const chat = new Chat(client, user);
  chats.push(chat);
  chat.start();
  await settle();
  return { chat, server, arrived: collect(chat, "arrived"), unauthorized: collect(chat, "unauthorized") };
}

/** @param {boolean} resumed @param {string} id */
async function hello(resumed = false, id = "1-a") {
  latestSource().event("hello", { resumed }, id);
  await settle();
}

/** @param {Chat} chat */
const texts = (chat, id = BOB) => chat.store.ensure(id).thread.messages.map(({ text }) => text);

test("a page loads the conversations when its stream is live, and the open conversation's messages", async () => {
  const { chat, server } = await page([message(1), message(2)]);
  chat.openConversation(BOB);
  assert.deepEqual(server.requests, ["GET /v1/session"]);
  await hello();
  assert.deepEqual(texts(chat), ["text 1", "text 2"]);
  assert.deepEqual(
    chat.list.map(({ conversation }) => conversation.id),
    [BOB],
  );
});

test("a page whose stream is slow to open loads without it", async () => {
  const { chat } = await page([message(1)]);
  await pass(1_500);
  assert.equal(chat.store.loaded, true);
});

test("a page that is closed while its stream opens loads nothing", async () => {
  const { chat, server } = await page([message(1)]);
  chat.close();
  await pass(5_000);
  assert.deepEqual([chat.store.loaded, server.requests], [false, ["GET /v1/session"]]);
});

test("a live message of somebody else is news once, and counts as unread until it is read", async () => {
  const { chat, arrived } = await page([message(1)]);
  await hello();
  chat.markRead(BOB);
  latestSource().event("message", message(2), "2-b");
  latestSource().event("message", message(2), "2-b");
  assert.deepEqual([arrived.length, chat.unreadTotal], [1, 1]);
  chat.markRead(BOB);
  assert.equal(chat.unreadTotal, 0);
  latestSource().event("message", message(3, { deleted: true }), "3-c");
  assert.equal(arrived.length, 1);
});

test("a hole before a live message is filled", async () => {
  const { chat, server } = await page([message(1)]);
  chat.openConversation(BOB);
  await hello();
  server.history = [message(2), message(3)];
  latestSource().event("message", message(3), "3-c");
  await settle();
  assert.deepEqual(texts(chat), ["text 1", "text 2", "text 3"]);
});

test("a message that is written is in the list at once, and sent to the other member", async () => {
  const { chat, server } = await page();
  await hello();
  server.failing = 503;
  chat.write(chat.direct("carol"), "hi");
  await settle();
  assert.deepEqual(
    chat.list.map(({ conversation, pending }) => [conversation.id, pending?.text]),
    [["dm:alice:carol", "hi"]],
  );
  server.failing = null;
  chat.wake();
  await settle();
  const [sent] = server.history;
  assert.deepEqual([sent.to, sent.text, chat.outbox.all, chat.unreadTotal], ["carol", "hi", [], 0]);
});

test("a page that wakes up sends what a tab wrote that is gone, also where there are no locks", async () => {
  browser.navigator.locks = undefined;
  browser.document.hidden = true;
  const { chat, server } = await page();
  await hello();
  const entry = { client_msg_id: "a", conversation_id: BOB, to: "bob", text: "left", order: 1, state: "queued" };
  await new Records("ssechat:outbox::alice").put(entry);
  new BroadcastChannel("ssechat:outbox::alice").postMessage({ id: "a", entry });
  await pass(20_000);
  assert.deepEqual([chat.outbox.all.length, server.history], [1, []]);
  chat.wake();
  await settle();
  assert.deepEqual([chat.outbox.all, server.history.map(({ text }) => text)], [[], ["left"]]);
});

test("a message whose answer got lost is confirmed by the history, or by the stream", async () => {
  const { chat, server } = await page([message(1)]);
  chat.openConversation(BOB);
  await hello();
  server.failing = 503;
  const first = chat.write(BOB, "one");
  const second = chat.write(BOB, "two");
  await settle();
  const own = { sender: "alice", conversation_id: BOB };
  latestSource().event("message", message(2, { ...own, client_msg_id: first.client_msg_id }), "2-b");
  assert.deepEqual(
    chat.outbox.all.map(({ text }) => text),
    ["two"],
  );
  server.failing = null;
  server.history = [message(1), message(3, { ...own, client_msg_id: second.client_msg_id })];
  latestSource().event("reset", { reason: "expired" }, "9-a");
  await settle();
  assert.deepEqual([chat.outbox.all, server.history.length], [[], 2]);
});

test("a reset loads the open thread anew, and others when they are opened", async () => {
  const { chat, server } = await page([message(1)]);
  await hello();
  chat.openConversation(BOB);
  await settle();
  server.history = [message(1), message(2)];
  chat.openConversation(null);
  latestSource().event("reset", { reason: "expired", conversation_id: BOB }, "5-a");
  await settle();
  assert.deepEqual(texts(chat), []);
  chat.openConversation(BOB);
  await settle();
  server.history = [message(1), message(2), message(3)];
  latestSource().event("reset", { reason: "expired" }, "6-a");
  await settle();
  assert.deepEqual(texts(chat), ["text 1", "text 2", "text 3"]);
});

test("marks are lowered where the server lost history", async () => {
  const { chat, server } = await page([message(9)]);
  await hello();
  chat.markRead(BOB);
  await settle();
  server.history = [message(2)];
  server.read_up_to = 2;
  latestSource().event("reset", { reason: "lost" }, "1-z");
  await settle();
  assert.equal(chat.readUpTo(chat.store.ensure(BOB)), 2);
});

test("of a conversation in which nobody has written no message is asked for", async () => {
  const { chat, server } = await page();
  await hello();
  server.requests.length = 0;
  chat.openConversation(chat.direct("carol"));
  await settle();
  assert.deepEqual(server.requests, ["GET /v1/conversations/dm:alice:carol"]); // whether carol is blocked
  assert.equal(chat.store.ensure("dm:alice:carol").thread.loaded, true);
  assert.equal(chat.list.length, 1); // on top, though it is empty
  chat.openConversation(null);
  assert.deepEqual(chat.list, []);
});

test("older messages and further conversations are loaded when they are asked for", async () => {
  const { chat, server } = await page([message(5)]);
  await hello();
  chat.store.ensure(BOB).thread.applyNewest([message(5)], true);
  server.history = [message(4)];
  await chat.threads.older(BOB);
  assert.deepEqual(texts(chat), ["text 4", "text 5"]);
  chat.store.next = "more";
  server.groups = [{ id: "g:1" }];
  await chat.moreConversations();
  assert.deepEqual([chat.store.next, chat.store.conversation("g:1")?.id], [null, "g:1"]);
});

test("a message in an unknown group has the group loaded, for its name", async () => {
  const { chat, server } = await page();
  await hello();
  server.groups = [{ id: "g:1", name: "Friends", type: "group", members: [] }];
  latestSource().event("message", message(1, { conversation_id: "g:1" }), "2-b");
  await settle();
  assert.equal(chat.store.title(chat.store.ensure("g:1")), "Friends");
});

test("what came before a live message further down the list than what is loaded is not unread", async () => {
  const { chat, server } = await page([message(1)]);
  await hello();
  chat.store.next = "more";
  const last_message = message(40, { conversation_id: "dm:alice:carol" });
  server.groups = [{ id: "dm:alice:carol", newest_seq: 40, last_message, read_up_to: 39, mentions: [], muted: false }];
  latestSource().event("message", last_message, "2-b");
  await settle();
  assert.equal(chat.unread(chat.store.ensure("dm:alice:carol")), 1);
});

test("a user who is signed out elsewhere is told so", async () => {
  const { chat, server, unauthorized } = await page();
  server.failing = 401;
  latestSource().event("bye", { reason: "signed_out" });
  await pass(600);
  assert.deepEqual([unauthorized.length, chat.client.status], [1, "closed"]);
});

test("nothing is sent once another user is signed in with the cookie", async () => {
  const { chat, server } = await page();
  await hello();
  browser.localStorage.setItem(SIGNED_IN, "carol");
  chat.write(BOB, "hi");
  await settle();
  assert.deepEqual(server.history, []);
});

test("drafts are kept until they are sent or the user signs out", async () => {
  const { chat } = await page();
  assert.equal(chat.drafts.get(BOB), "");
  chat.drafts.set(BOB, "hello");
  chat.drafts.set("g:1", "you");
  chat.drafts.set("g:1", "");
  assert.deepEqual([chat.drafts.get(BOB), chat.drafts.get("g:1")], ["hello", ""]);
  chat.write(BOB, "unsent");
  chat.forget();
  assert.deepEqual([chat.drafts.get(BOB), chat.outbox.all], ["", []]);
});

test("a page that comes back from the back/forward cache loads what it missed", async () => {
  const { chat, server } = await page([message(1)]);
  chat.openConversation(BOB);
  await hello();
  chat.client.close();
  server.history = [message(1), message(2)];
  chat.resume();
  await settle();
  await hello(false, "2-b");
  assert.deepEqual([texts(chat), chat.unread(chat.store.ensure(BOB))], [["text 1", "text 2"], 2]);
});

test("a page that comes back from there after its user has signed out asks for nothing, and says so", async () => {
  const { chat, server } = await page([message(1)]);
  await hello();
  const unauthorized = collect(chat, "unauthorized");
  chat.client.close();
  browser.localStorage.removeItem(SIGNED_IN);
  server.requests.length = 0;
  chat.resume();
  await settle();
  assert.deepEqual([unauthorized, server.requests, chat.client.status], [[null], [], "closed"]);
});

test("a closed chat listens and sends no more", async () => {
  const { chat, server } = await page([message(1)]);
  await hello();
  chat.close();
  const changes = collect(chat, "change");
  server.requests.length = 0;
  chat.write(BOB, "hi");
  chat.client.wake();
  await pass(60_000);
  assert.deepEqual([changes, server.requests, chat.client.status, chat.client.holdsStream], [[], [], "closed", false]);
});

test("a client with a bearer token has a ticket for each connection", async (t) => {
  /** @type {string[]} */
  const requests = [];
  t.mock.method(globalThis, "fetch", async (/** @type {string} */ url, /** @type {any} */ { method, headers }) => {
    requests.push(`${method} ${url} ${headers.Authorization}`);
    return Response.json({ ticket: "t1", user: "alice" });
  });
  const client = new ChatClient({ token: "secret" });
  await client.session();
  client.open();
  client.open();
  await settle();
  assert.deepEqual(requests, ["GET /v1/session Bearer secret", "POST /v1/tickets Bearer secret"]);
  assert.deepEqual([latestSource().url, FakeSource.made.length], ["/v1/events?ticket=t1", 1]);
  assert.equal(latestSource().options.withCredentials, false);
  client.close();
});

test("a client's methods are the server's interface", async () => {
  const server = fakeServer();
  const client = new ChatClient();
  await client.server();
  await client.account.signUp("alice", "password");
  await client.account.signIn("alice", "password");
  await client.users.get("bob|x");
  await client.conversations.list({ limit: 3 });
  await client.messages.list(BOB, { after: 3 });
  await client.messages.send({ conversation_id: "g:1", text: "hi" });
  await client.signOut();
  assert.deepEqual(server.requests, [
    "GET /v1/server",
    "POST /v1/users",
    "POST /v1/session",
    "GET /v1/users/bob|x",
    "GET /v1/conversations",
    `GET /v1/conversations/${BOB}/messages`,
    "POST /v1/messages",
    "DELETE /v1/session",
  ]);
  assert.deepEqual([client.user, server.history[0].conversation_id], [null, "g:1"]);
  assert.match(server.history[0].client_msg_id, /^[0-9a-f]{32}$/);
});

test("a client's methods for groups and for messages that change are the server's interface", async () => {
  const server = fakeServer();
  server.made = { id: "g:1" };
  server.changed = message(1);
  const client = new ChatClient();
  const at = "/v1/conversations/g:1";
  for (const [call, route, body] of /** @type {[() => Promise<unknown>, string, any?][]} */ ([
    [() => client.groups.create({ name: "A", client_msg_id: "x" }), "POST /v1/conversations"],
    [() => client.groups.change("g:1", { topic: "t" }), `PATCH ${at}`, { topic: "t" }],
    [() => client.groups.end("g:1"), `DELETE ${at}`],
    [() => client.groups.members("g:1", { limit: 5 }), `GET ${at}/members`],
    [() => client.groups.add("g:1", ["bob"]), `POST ${at}/members`, { users: ["bob"] }],
    [() => client.groups.setRole("g:1", "bob|x", "admin"), `PUT ${at}/members/bob|x`, { role: "admin" }],
    [() => client.groups.remove("g:1", "bob"), `DELETE ${at}/members/bob`],
    [() => client.groups.createInvite("g:1", { expires_in: 60 }), `POST ${at}/invites`, { expires_in: 60 }],
    [() => client.groups.revokeInvite("g:1", "i"), `DELETE ${at}/invites/i`],
    [() => client.groups.join("g:1.s"), "POST /v1/invites/join", { secret: "g:1.s" }],
    [() => client.messages.get("g:1", 1), `GET ${at}/messages/1`],
    [() => client.messages.edit("g:1", 1, { data: null }), `PATCH ${at}/messages/1`, { data: null }],
    [() => client.messages.remove("g:1", 1), `DELETE ${at}/messages/1`],
    [() => client.messages.react("g:1", 1, "👍"), `PUT ${at}/messages/1/reactions/👍`],
    [() => client.messages.unreact("g:1", 1, "👍"), `DELETE ${at}/messages/1/reactions/👍`],
    [() => client.messages.reactions("g:1", 1, { user: "bob" }), `GET ${at}/messages/1/reactions`],
  ])) {
    await call();
    assert.equal(server.requests.at(-1), route);
    if (body) assert.deepEqual(server.bodies[route], body);
  }
  server.left = { invites: [] };
  assert.deepEqual(await client.groups.invites("g:1"), { invites: [] });
});
