/** What the events of a group change in it, and what its members may do. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isNone, newConversation } from "../../src/ssechat/web/conversation.js";
import { applyFacts, applyMember, isIn, managesGroup, moderates, Roster } from "../../src/ssechat/web/membership.js";
import { whyReadOnly } from "../../src/ssechat/web/read_only.js";
import { message } from "./world.js";

/** @typedef {import("../../src/ssechat/web/membership.js").MemberEvent} MemberEvent */

/** A group of alice's. @param {Partial<import("../../src/ssechat/web/conversation.js").Conversation>} more */
const group = (more = {}) => ({ ...newConversation("g:1"), role: /** @type {const} */ ("admin"), ...more });

/** @param {Partial<MemberEvent>} more @returns {MemberEvent} */
const event = (more) => ({ conversation_id: "g:1", users: [], by: "bob", member_count: 3, ...more });

/** @param {...string} names */
const members = (...names) => names.map((user) => ({ user, role: /** @type {const} */ ("member") }));

test("those who join are members, those who leave are none, and the count is what the event says", () => {
  const friends = group({ members: ["alice", "dora"] });
  const joined = event({ users: members("carol", "bob"), member_count: 4, name: "Friends" });
  applyMember(friends, joined, "alice");
  applyMember(friends, joined, "alice");
  assert.deepEqual([friends.members, friends.member_count], [["alice", "bob", "carol", "dora"], 4]);
  assert.equal(friends.name, "Friends");
  applyMember(friends, event({ users: members("dora"), left: true, member_count: 3 }), "alice");
  assert.deepEqual([friends.members, friends.member_count], [["alice", "bob", "carol"], 3]);
});

test("a conversation keeps twenty names of a large group", () => {
  const friends = group();
  const names = Array.from({ length: 30 }, (_, i) => `user${String(i).padStart(2, "0")}`);
  applyMember(friends, event({ users: members(...names), member_count: 31 }), "alice");
  assert.deepEqual([friends.members, friends.member_count], [names.slice(0, 20), 31]);
});

test("the roster follows, and is stale where an event leaves users out", () => {
  const roster = new Roster(members("alice", "carol"));
  const friends = group({ roster });
  applyMember(friends, event({ users: [{ user: "bob", role: "owner" }] }), "alice");
  applyMember(friends, event({ users: members("carol"), left: true }), "alice");
  assert.deepEqual(roster.members, [
    { user: "alice", role: "member" },
    { user: "bob", role: "owner" },
  ]);
  assert.deepEqual([roster.role("bob"), roster.role("carol"), roster.stale], ["owner", undefined, false]);
  applyMember(friends, event({ more: true }), "alice");
  assert.equal(roster.stale, true);
});

test("one's own role, leaving, removal and coming back", () => {
  const friends = group({ roster: new Roster([]) });
  applyMember(friends, event({ users: [{ user: "alice", role: "owner" }] }), "alice");
  assert.deepEqual([friends.role, whyReadOnly(friends), isIn(friends)], ["owner", "", true]);
  applyMember(friends, event({ users: members("alice"), left: true }), "alice");
  assert.match(whyReadOnly(friends), /^bob removed you/);
  assert.deepEqual(
    [friends.role, friends.roster, isIn(friends), managesGroup(friends)],
    [undefined, undefined, false, false],
  );
  applyMember(friends, event({ users: members("alice"), name: "Friends" }), "alice");
  assert.deepEqual([friends.role, whyReadOnly(friends), isIn(friends)], ["member", "", true]);
  applyMember(friends, event({ users: members("alice"), by: "alice", left: true }), "alice");
  assert.match(whyReadOnly(friends), /^You left/);
});

test("why one cannot write", () => {
  assert.match(whyReadOnly(group({ left: "gone" })), /not a member/);
  assert.match(whyReadOnly(group({ ended: true })), /ended/);
  assert.equal(whyReadOnly(group({ unavailable: "Not yours." })), "Not yours.");
});

test("the facts of a group replace what was", () => {
  const friends = group({ topic: "old" });
  applyFacts(friends, { conversation_id: "g:1", name: "Friends", topic: "new", history: "all" });
  assert.deepEqual([friends.name, friends.topic, friends.history], ["Friends", "new", "all"]);
  applyFacts(friends, { conversation_id: "g:1", name: "Friends", history: "from_join", ended: true });
  assert.deepEqual(["topic" in friends, friends.history, friends.ended], [false, "from_join", true]);
});

test("owners moderate everybody, admins only members, members nobody", () => {
  assert.deepEqual(
    [moderates(group({ role: "owner" }), "admin"), moderates(group({ role: "owner" }), undefined)],
    [true, true],
  );
  assert.deepEqual(
    [moderates(group(), "admin"), moderates(group(), "member"), moderates(group(), undefined)],
    [false, true, true],
  );
  assert.equal(moderates(group({ role: "member" }), "member"), false);
  assert.equal(moderates(group({ ended: true }), "member"), false);
});

test("an address leads to no conversation if the server knows none and nothing was ever said in it", () => {
  const conversation = newConversation("g:x");
  assert.equal(isNone(conversation), false);
  conversation.unavailable = "There is no such group.";
  assert.equal(isNone(conversation), true);
  conversation.last_message = message(1);
  assert.equal(isNone(conversation), false);
  conversation.last_message = null;
  conversation.thread.applyNewest([message(1)], false);
  assert.equal(isNone(conversation), false);
});
