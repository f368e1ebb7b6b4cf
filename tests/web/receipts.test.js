/** Up to where others have read: what is loaded, what events change, what a message shows, what is acked. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Attempts } from "../../src/ssechat/web/attempts.js";
import { ackDeliveries } from "../../src/ssechat/web/deliveries.js";
import { markOf } from "../../src/ssechat/web/delivery_mark.js";
import { Emitter } from "../../src/ssechat/web/emitter.js";
import { RequestError } from "../../src/ssechat/web/http.js";
import "../../src/ssechat/web/more_requests.js"; // so that it is there at once
import { progressOf } from "../../src/ssechat/web/progress.js";
import { Receipts } from "../../src/ssechat/web/receipts.js";
import { Store } from "../../src/ssechat/web/store.js";
import { fakeBrowser, message, pass, settle } from "./world.js";

const GROUP = `g:${"a".repeat(26)}`;
const BOB = "dm:alice:bob";

beforeEach(() => fakeBrowser());

/** @param {string} user @param {number} read_up_to @param {number} delivered_up_to @param {number} [since] */
const receipt = (user, read_up_to, delivered_up_to, since) => ({
  user,
  read_up_to,
  delivered_up_to,
  ...(since === undefined ? {} : { since }),
});

/** A client whose answers the test sets. @extends {Emitter<Record<string, any>>} */
class Client extends Emitter {
  /** @type {string|null} */
  cursor = "7-x";
  holdsStream = true;
  /** @type {any} */
  receipts = [receipt("bob", 1, 2)];
  /** @type {string[]} */
  asked = [];
  /** @type {string[]} */
  acked = [];
  /** @type {(() => Promise<any>)|null} */
  answer = null;

  conversations = {
    get: async (/** @type {string} */ id) => {
      this.asked.push(id);
      const listed = { id, ...(this.receipts === undefined ? {} : { receipts: this.receipts }) };
      return this.answer ? this.answer() : listed;
    },
  };

  http = {
    request: async (/** @type {string} */ _, /** @type {string} */ path, /** @type {any} */ { body }) => {
      assert.equal(path, "/v1/ack");
      this.acked.push(body.id);
      if (this.answer) await this.answer();
    },
  };
}

/** Receipts of a page that shows a conversation. @param {string} id */
async function page(id = BOB) {
  const client = /** @type {any} */ (new Client());
  const store = new Store("alice");
  store.ensure(id).newest_seq = 9;
  const receipts = new Receipts(client, store, new Attempts());
  const closing = new AbortController();
  ackDeliveries(client, store, closing.signal);
  receipts.show(id);
  await settle();
  const known = () => store.ensure(id).receipts;
  const told = (/** @type {any} */ one) => receipts.receive({ conversation_id: id, ...one });
  return { client, store, receipts, known, told, closing };
}

test("the receipts of the conversation that is shown are loaded once, and raised by events", async () => {
  const { client, receipts, known, told } = await page();
  assert.deepEqual(known(), [receipt("bob", 1, 2)]);
  receipts.show(BOB);
  told(receipt("bob", 0, 5));
  told(receipt("bob", 3, 3));
  receipts.receive({ conversation_id: GROUP, ...receipt("bob", 9, 9) });
  assert.deepEqual([known(), client.asked], [[receipt("bob", 3, 5)], [BOB]], "they never fall");
  receipts.show(null);
  told(receipt("bob", 9, 9));
  await settle();
  assert.deepEqual([known(), client.asked], [[receipt("bob", 3, 5)], [BOB]]);
  receipts.close();
});

test("they are loaded again when events without an id may have been missed, and nothing is taken back", async () => {
  const { client, known, told } = await page();
  told(receipt("bob", 4, 4));
  for (const [type, data] of /** @type {[string, any][]} */ ([
    ["hello", {}],
    ["caught_up", {}],
    ["profile", {}],
    ["block", {}],
    ["reload", { reason: "gap" }],
  ])) {
    client.emit(type, data);
    await settle();
  }
  assert.deepEqual([client.asked.length, known()], [6, [receipt("bob", 4, 4)]]);
  client.emit("reload", { reason: "lost" });
  await settle();
  assert.deepEqual(known(), [receipt("bob", 1, 2)], "after a loss the server is right");
  client.receipts = undefined;
  client.emit("hello", {});
  client.emit("caught_up", {});
  await settle();
  assert.equal(known(), null, "they have been switched off");
});

test("somebody who is not known has them loaded, as does who joins; who leaves has none", async () => {
  const { client, known, told } = await page(GROUP);
  client.receipts = [receipt("bob", 1, 2), receipt("carol", 5, 6, 4)];
  told(receipt("carol", 5, 6));
  await settle();
  assert.deepEqual([known(), client.asked.length], [client.receipts, 2]);
  const member = { conversation_id: GROUP, by: "bob", member_count: 2, users: [{ user: "carol", role: "member" }] };
  client.receipts = [receipt("bob", 1, 2)];
  client.emit("member", { ...member, left: true });
  assert.deepEqual(known(), [receipt("bob", 1, 2)]);
  client.emit("member", { ...member, conversation_id: "g:other", name: "Lunch" });
  client.emit("member", member); // another role
  await settle();
  assert.equal(client.asked.length, 3);
  client.emit("member", { ...member, name: "Lunch" });
  await settle();
  assert.equal(client.asked.length, 4);
});

test("a message raises its sender's receipt", async () => {
  const { client, known } = await page();
  client.emit("message", message(8, { sender: "bob", conversation_id: BOB }));
  client.emit("message", message(9, { sender: "alice", conversation_id: BOB }));
  client.emit("message", message(9, { sender: "bob", conversation_id: GROUP }));
  assert.deepEqual([known(), client.asked.length], [[receipt("bob", 8, 8)], 1]);
});

test("nothing is asked for notes, for what is empty, and for a group that the user has left", async () => {
  const { client, store, receipts } = await page();
  store.ensure("dm:alice:alice").newest_seq = 3;
  store.ensure(GROUP).newest_seq = 3;
  store.ensure(GROUP).left = "left";
  for (const id of ["dm:alice:alice", GROUP, "dm:alice:dave", "dm:alice:nobody"]) {
    if (id !== "dm:alice:nobody") store.ensure(id);
    receipts.show(id);
    await settle();
  }
  assert.deepEqual(client.asked, [BOB]);
  store.ensure("dm:alice:nobody").newest_seq = 1;
  receipts.receive({ conversation_id: "dm:alice:nobody", ...receipt("nobody", 1, 1) });
  await settle();
  assert.deepEqual(client.asked, [BOB, "dm:alice:nobody"]);
});

test("with the first message of somebody else, the receipts of what was empty are loaded, once", async () => {
  const { client, store, receipts } = await page();
  const empty = store.ensure("dm:alice:dave");
  receipts.show(empty.id);
  await settle();
  assert.deepEqual(client.asked, [BOB]);
  for (const seq of [1, 2]) {
    empty.newest_seq = seq;
    store.touch(empty.id);
    await settle();
  }
  assert.deepEqual(client.asked, [BOB, empty.id]);
});

test("a refusal leaves what is known", async () => {
  const { client, known } = await page();
  client.answer = () => Promise.reject(new RequestError(403, { code: "not_a_member" }));
  client.emit("hello", {});
  await settle();
  assert.deepEqual(known(), [receipt("bob", 1, 2)]);
});

test("messages of others are acked soon, and once a second, by the tab that holds the stream", async () => {
  const { client, closing } = await page();
  client.emit("message", message(9, { sender: "alice" }));
  await pass(2_000);
  assert.deepEqual(client.acked, [], "one's own needs none");
  client.emit("message", message(10));
  await pass(300);
  for (const cursor of ["8-x", "9-x"]) {
    client.cursor = cursor;
    client.emit("message", message(11));
  }
  await pass(500);
  assert.deepEqual(client.acked, ["7-x"]);
  await pass(600);
  assert.deepEqual(client.acked, ["7-x", "9-x"]);
  client.answer = () => Promise.reject(new RequestError(404, { code: "unknown_event" }));
  client.emit("message", message(12));
  await pass(2_000);
  assert.equal(client.acked.length, 3, "one that is refused is made up for by the next");
  client.answer = () => Promise.reject(new RequestError(503));
  client.emit("message", message(12));
  await pass(2_000);
  client.answer = null;
  await pass(12_000);
  assert.equal(client.acked.splice(3).length, 2, "one that is lost is sent again");
  client.holdsStream = false;
  client.emit("message", message(13));
  await pass(2_000);
  client.holdsStream = true;
  client.answer = null;
  client.emit("message", message(14));
  closing.abort();
  await pass(2_000);
  assert.equal(client.acked.length, 3);
});

test("what was written while nobody was here is acked once it is loaded", async () => {
  const { client, store, receipts } = await page();
  const listed = { id: BOB, newest_seq: 9, mentions: [], muted: false, receipts: "of a list there are none" };
  store.replaceConversations([{ ...listed, read_up_to: 9 }], null, [], () => false);
  store.fail("The server says no.");
  await pass(2_000);
  assert.deepEqual(client.acked, []);
  store.replaceConversations([{ ...listed, read_up_to: 8 }], null, [], () => false);
  await pass(2_000);
  assert.deepEqual(client.acked, ["7-x"]);
  client.cursor = null;
  store.replaceConversations([{ ...listed, read_up_to: 8 }], null, [], () => false);
  await pass(2_000);
  assert.deepEqual(client.acked, ["7-x"], "before the first event there is no id");
  receipts.close();
});

test("what comes while an ack is under way is acked after it", async () => {
  const { client, receipts } = await page();
  /** @type {(value?: unknown) => void} */
  let answer = () => {};
  client.answer = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  client.emit("message", message(10));
  await pass(300);
  client.cursor = "8-x";
  client.emit("message", message(11));
  await pass(2_000);
  assert.deepEqual(client.acked, ["7-x"]);
  client.answer = null;
  answer();
  await settle();
  await pass(300);
  assert.deepEqual(client.acked, ["7-x", "8-x"]);
  receipts.close();
});

test("a message has come as far as those have it who were there when it was sent", () => {
  const receipts = [receipt("bob", 3, 5), receipt("carol", 9, 9, 4), receipt("dave", 0, 2)];
  assert.equal(progressOf(null, 3), null);
  assert.equal(progressOf(receipts, 0), null, "it is not sent yet");
  assert.deepEqual(progressOf(receipts, 3), { read: ["bob"], delivered: [], waiting: ["dave"] });
  assert.deepEqual(progressOf(receipts, 5), { read: ["carol"], delivered: ["bob"], waiting: ["dave"] });
});

test("the mark says how far all have it, and in a group how many", () => {
  /** @param {number} read @param {number} delivered @param {number} waiting @param {boolean} group */
  const mark = (read, delivered, waiting, group) => {
    const names = (/** @type {number} */ count) => Array.from({ length: count }, (_, i) => `u${i}`);
    const progress = { read: names(read), delivered: names(delivered), waiting: names(waiting) };
    const { look, label } = markOf("sent", progress, group);
    return `${look}: ${label}`;
  };
  assert.deepEqual(
    [mark(0, 0, 1, false), mark(0, 1, 0, false), mark(1, 0, 0, false), mark(0, 0, 0, false)],
    ["sent: Sent", "delivered: Delivered", "read: Read", "sent: Sent"],
  );
  assert.deepEqual(
    [mark(0, 0, 5, true), mark(0, 2, 3, true), mark(1, 4, 0, true), mark(3, 0, 2, true), mark(5, 0, 0, true)],
    [
      "sent: Sent",
      "sent: Delivered to 2 of 5",
      "delivered: Read by 1 of 5",
      "sent: Read by 3 of 5",
      "read: Read by 5 of 5",
    ],
  );
  assert.deepEqual(markOf("queued", null, false), { look: "queued", label: "Sending…" });
  assert.deepEqual(markOf("failed", null, true), { look: "failed", label: "Not sent" });
  assert.deepEqual(markOf("sent", null, true), { look: "sent", label: "Sent" });
});
