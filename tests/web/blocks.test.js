/** Whom the user blocks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "../../src/ssechat/web/store.js";
import { collect } from "./world.js";

const BOB = "dm:alice:bob";

/** @param {boolean} blocked */
const block = (blocked) => ({ conversation_id: BOB, user: "bob", blocked });

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
