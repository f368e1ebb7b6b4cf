/** Groups: what the user does there, and what others do while the page is open. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Chat } from "../../src/ssechat/web/chat.js";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { whyReadOnly } from "../../src/ssechat/web/read_only.js";
import { SIGNED_IN } from "../../src/ssechat/web/storage.js";
import { collect, fakeBrowser, fakeServer, latestSource, message, settle } from "./world.js";

const GROUP = "g:friends";

/** @type {Chat[]} */
let chats = [];

beforeEach(() => {
  fakeBrowser().localStorage.setItem(SIGNED_IN, "alice");
  chats = [];
});

afterEach(() => {
  for (const chat of chats) chat.close();
});

/** A group as the server tells it. @param {Record<string, unknown>} more */
function friends(more = {}) {
  return {
    id: GROUP,
    type: "group",
    name: "Friends",
    history: "all",
    role: "member",
    member_count: 2,
    members: ["alice", "bob"],
    newest_seq: 0,
    last_message: null,
    ...more,
  };
}

/** A page of alice's that is live. @param {any[]} groups */
async function live(groups = [friends()]) {
  const server = fakeServer();
  server.groups = groups;
  const client = new ChatClient();
  const { user } = await client.session();
  const chat = new Chat(client, user);
  chats.push(chat);
  chat.start();
  await settle();
  latestSource().event("hello", { resumed: false }, "1-a");
  await settle();
  server.requests.length = 0;
  return { chat, server, changes: collect(chat, "change"), arrived: collect(chat, "arrived") };
}

let position = 1;

/** @param {string} type @param {Record<string, unknown>} data */
async function happens(type, data) {
  latestSource().event(type, { conversation_id: GROUP, ...data }, `${++position}-x`);
  await settle();
}

/** @param {...string} names */
const members = (...names) => names.map((user) => ({ user, role: "member" }));

/** @param {Chat} chat */
const shown = (chat) => chat.list.map(({ conversation }) => chat.store.title(conversation));

/** @param {number} seq @param {Record<string, unknown>} more */
const said = (seq, more = {}) => message(seq, { conversation_id: GROUP, ...more });

test("a group that is made is in the list, and shown once when its event comes, too", async () => {
  const { chat, server } = await live([]);
  server.made = friends({ role: "owner" });
  server.groups = [server.made];
  const made = chat.groups.create({ name: "Friends", members: ["bob"] });
  await happens("member", { users: members("alice", "bob"), by: "alice", member_count: 2, name: "Friends" });
  assert.equal(await made, GROUP);
  await settle();
  assert.deepEqual([shown(chat), chat.unreadTotal], [["Friends"], 0]);
  assert.deepEqual(server.bodies["POST /v1/conversations"].name, "Friends");
});

test("who is added sees the group at once, and what is said from then on is unread", async () => {
  const { chat, server, arrived } = await live([]);
  server.groups = [friends({ newest_seq: 7, last_message: said(7), read_up_to: 7 })];
  await happens("member", { users: members("alice"), by: "bob", member_count: 3, name: "Friends" });
  assert.deepEqual([shown(chat), chat.unreadTotal], [["Friends"], 0]);
  assert.deepEqual(server.requests, [`GET /v1/conversations/${GROUP}`]);
  await happens("message", said(8));
  assert.deepEqual([chat.unreadTotal, arrived.length], [1, 1]);
});

test("what was said in a group before one came back stays read, and a mark of before does not count", async () => {
  const { chat, server } = await live([friends({ newest_seq: 5, last_message: said(5), read_up_to: 2 })]);
  assert.equal(chat.unreadTotal, 3);
  await happens("member", { users: members("alice"), by: "bob", left: true, member_count: 2 });
  assert.equal(chat.unreadTotal, 0);
  server.groups = [friends({ newest_seq: 7, last_message: said(7), read_up_to: 7 })];
  await happens("member", { users: members("alice"), by: "bob", member_count: 3, name: "Friends" });
  assert.deepEqual([chat.store.ensure(GROUP).read_up_to, chat.unreadTotal], [7, 0]);
});

test("muting tells the server, and holds at once", async () => {
  const { chat, server } = await live([friends({ newest_seq: 7, last_message: said(7), read_up_to: 5 })]);
  server.made = { conversation_id: GROUP, read_up_to: 5, muted: true, unread: 2, mentions: [] };
  assert.equal(chat.unreadTotal, 2);
  await chat.mute(GROUP, true);
  assert.deepEqual([chat.unreadTotal, chat.unread(chat.store.ensure(GROUP))], [0, 2]);
  assert.deepEqual(server.bodies[`PUT /v1/conversations/${GROUP}/mute`], { muted: true });
});

test("a muted conversation is in no sum, and its messages are no news", async () => {
  const { chat, arrived } = await live([friends({ newest_seq: 7, last_message: said(7), read_up_to: 7 })]);
  const mark = { read_up_to: 7, muted: true, unread: 0, mentions: [] };
  await happens("mark", mark);
  await happens("message", { ...said(8, { mentions: ["alice"] }), mark: { ...mark, unread: 1, mentions: [8] } });
  const group = chat.store.ensure(GROUP);
  assert.deepEqual([chat.unread(group), chat.unreadTotal, chat.mentioned(group), arrived.length], [1, 0, true, 0]);
  await happens("mark", { ...mark, read_up_to: 8, muted: false });
  assert.deepEqual([chat.unread(group), chat.mentioned(group)], [0, false]);
});

test("a change of an old message is no news, and counts nothing as unread", async () => {
  const { chat, server, arrived } = await live([]);
  server.groups = [friends({ newest_seq: 7, last_message: said(7) })];
  await happens("member", { users: members("alice"), by: "bob", member_count: 3, name: "Friends" });
  await happens("message.updated", said(3, { version: 12 }));
  assert.deepEqual([arrived.length, chat.unreadTotal], [0, 0]);
  await happens("message.updated", { ...said(3), conversation_id: "g:unknown" });
  assert.equal(chat.store.conversation("g:unknown"), undefined);
});

test("members who come and go change the group with no request", async () => {
  const { chat, server } = await live();
  await happens("member", { users: members("carol"), by: "bob", member_count: 3, name: "Friends" });
  await happens("member", { users: members("bob"), by: "bob", member_count: 2, left: true });
  const { members: names, member_count } = chat.store.ensure(GROUP);
  assert.deepEqual([names, member_count, server.requests], [["alice", "carol"], 2, []]);
});

test("an event that leaves members out has the group loaded again", async () => {
  const { chat, server } = await live();
  server.groups = [friends({ member_count: 900 })];
  await happens("member", { users: members("carol"), by: "bob", member_count: 900, more: true });
  assert.deepEqual(server.requests, [`GET /v1/conversations/${GROUP}`]);
  assert.equal(chat.store.ensure(GROUP).member_count, 900);
});

test("events of a group further down the list have it loaded", async () => {
  const { chat, server } = await live([]);
  server.groups = [friends()];
  await happens("conversation", { name: "Friends", history: "all" });
  assert.deepEqual([server.requests, shown(chat)], [[`GET /v1/conversations/${GROUP}`], ["Friends"]]);
});

test("who is removed sees it at once in the open conversation, and the list has the group no more", async () => {
  const { chat } = await live();
  chat.openConversation(GROUP);
  await settle();
  await happens("member", { users: members("alice"), by: "bob", member_count: 1, left: true });
  assert.match(whyReadOnly(chat.store.ensure(GROUP)), /^bob removed you/);
  assert.deepEqual(shown(chat), ["Friends"]);
  chat.openConversation(null);
  assert.deepEqual([shown(chat), chat.unreadTotal], [[], 0]);
});

test("who comes back reads the group anew", async () => {
  const { chat, server } = await live();
  chat.openConversation(GROUP);
  await settle();
  await happens("member", { users: members("alice"), by: "bob", member_count: 1, left: true });
  server.history = [said(5)];
  await happens("member", { users: members("alice"), by: "bob", member_count: 2, name: "Friends" });
  const group = chat.store.ensure(GROUP);
  assert.deepEqual([whyReadOnly(group), group.thread.messages.map(({ seq }) => seq)], ["", [5]]);
});

test("a group that is missing from a new list is asked for while it is open, and else gone", async () => {
  const { chat, server } = await live();
  chat.openConversation(GROUP);
  await settle();
  server.groups = [];
  server.left = { id: GROUP, type: "group", name: "Friends", left: true, newest_seq: 3, last_message: null };
  latestSource().event("reset", { reason: "expired" }, `${++position}-x`);
  await settle();
  assert.match(whyReadOnly(chat.store.ensure(GROUP)), /not a member/);
  chat.openConversation(null);
  assert.deepEqual(shown(chat), []);
});

test("a group that the server does not show says why", async () => {
  const { chat } = await live([]);
  chat.openConversation("g:secret");
  await settle();
  const { unavailable, refusal } = chat.store.ensure("g:secret");
  assert.deepEqual([unavailable, refusal], ["No such conversation.", "unknown_conversation"]);
  assert.equal(whyReadOnly(chat.store.ensure("g:secret")), "No such conversation.");
  chat.openConversation(null);
  assert.deepEqual(shown(chat), []);
});

test("a group that has ended can be read only", async () => {
  const { chat } = await live();
  await happens("conversation", { name: "Old friends", history: "all", ended: true });
  assert.deepEqual(shown(chat), ["Old friends"]);
  assert.match(whyReadOnly(chat.store.ensure(GROUP)), /ended/);
});

test("the answer to a change takes nothing back that came meanwhile", async () => {
  const { chat, server } = await live();
  server.made = friends({ name: "Mine", topic: "x" });
  const changed = chat.groups.change(GROUP, { name: "Mine" });
  await happens("conversation", { name: "Theirs", history: "all" });
  await changed;
  assert.equal(chat.store.title(chat.store.ensure(GROUP)), "Theirs");
});

test("an invitation is joined, and what can be read is loaded", async () => {
  const { chat, server } = await live([]);
  server.made = friends();
  assert.equal(await chat.groups.join(`${GROUP}.secret`), GROUP);
  assert.deepEqual([shown(chat), server.bodies["POST /v1/invites/join"]], [["Friends"], { secret: `${GROUP}.secret` }]);
  await chat.groups.leave(GROUP);
  assert.equal(server.requests.at(-1), `DELETE /v1/conversations/${GROUP}/members/alice`);
});

test("all members are loaded when they are needed, and whom one may mention with them", async () => {
  const { chat, server } = await live();
  assert.deepEqual(chat.groups.mentionable(GROUP), ["alice", "bob"]);
  server.members = members("alice", "bob", "carol");
  await Promise.all([chat.groups.loadRoster(GROUP), chat.groups.loadRoster(GROUP)]);
  await chat.groups.loadRoster(GROUP);
  assert.deepEqual(server.requests, [`GET /v1/conversations/${GROUP}/members`]);
  assert.deepEqual(chat.groups.mentionable(GROUP), ["alice", "bob", "carol"]);
  chat.write(GROUP, "hi @carol", 3);
  await settle();
  const { mentions, reply_to, text } = server.history.at(-1);
  assert.deepEqual([mentions, reply_to, text], [["carol"], 3, "hi @carol"]);
});

test("a message is edited, deleted and reacted to, and shows the answer at once", async () => {
  const { chat, server } = await live();
  server.history = [said(1, { sender: "alice", text: "hi" })];
  chat.openConversation(GROUP);
  await settle();
  const [first] = chat.store.ensure(GROUP).thread.messages;
  assert.ok(first);
  server.members = members("alice", "bob");
  server.changed = { ...first, version: 2, text: "hi @bob", mentions: ["bob"] };
  await chat.changes.edit(first, "hi @bob");
  assert.deepEqual(server.bodies[`PATCH /v1/conversations/${GROUP}/messages/1`], {
    text: "hi @bob",
    mentions: ["bob"],
  });
  assert.equal(chat.store.ensure(GROUP).last_message?.text, "hi @bob");
  server.changed = {
    conversation_id: GROUP,
    seq: 1,
    version: 3,
    sender: "alice",
    created_at: first.created_at,
    deleted: true,
  };
  await chat.changes.remove(first);
  assert.equal(chat.store.ensure(GROUP).thread.messages[0]?.deleted, true);
});

test("a reaction is toggled, and whether one has reacted is asked where the message does not tell", async () => {
  const { chat, server } = await live();
  const path = `/v1/conversations/${GROUP}/messages/1/reactions`;
  const reacted = (/** @type {number} */ count, /** @type {string[]} */ users) => [{ emoji: "👍", count, users }];
  const toggle = async (/** @type {any} */ reactions) => {
    server.requests.length = 0;
    const one = said(1, { reactions });
    server.changed = one;
    await chat.changes.toggle(one, "👍");
    return server.requests;
  };
  assert.deepEqual(await toggle(undefined), [`PUT ${path}/👍`]);
  assert.deepEqual(await toggle(reacted(1, ["bob"])), [`PUT ${path}/👍`]);
  assert.deepEqual(await toggle(reacted(1, ["alice"])), [`DELETE ${path}/👍`]);
  server.reactions = [{ emoji: "👍", user: "alice" }];
  const many = reacted(9, ["bob", "carol", "dora"]);
  assert.deepEqual(await toggle(many), [`GET ${path}`, `DELETE ${path}/👍`]);
  const thread = chat.quotes.of(GROUP);
  assert.equal(thread.reacted(said(1, { reactions: many }), "👍", "alice"), false);
  server.reactions = [];
  assert.deepEqual(await toggle(many), [`GET ${path}`, `PUT ${path}/👍`]);
  assert.equal(thread.reacted(said(1, { reactions: many }), "👍", "alice"), true);
});

test("one's own message that changed before its answer came is sent", async () => {
  const { chat, server } = await live();
  server.failing = 503;
  const entry = chat.write(GROUP, "hi");
  await settle();
  await happens("message.updated", said(1, { sender: "alice", client_msg_id: entry.client_msg_id, version: 2 }));
  assert.deepEqual(chat.outbox.all, []);
});

test("a group of which nothing was said is listed where the server lists it", async () => {
  const old = friends({
    id: "g:old",
    name: "Old",
    newest_seq: 1,
    last_message: { ...said(1), conversation_id: "g:old" },
  });
  const { chat } = await live([friends({ name: "Empty" }), old, friends({ id: "g:last", name: "Last" })]);
  assert.deepEqual(shown(chat), ["Empty", "Old", "Last"]);
});
