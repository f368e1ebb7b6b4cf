/** Records that outlive the page. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Records } from "../../src/ssechat/web/records.js";
import { fakeBrowser, settle } from "./world.js";

beforeEach(() => {
  fakeBrowser();
});

/** Removes the database, as a person does who clears what sites have stored. */
function clearAll() {
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase("ssechat");
    request.onsuccess = resolve;
  });
}

test("records are found by other pages, those of their own scope only", async () => {
  const records = new Records("alice");
  assert.equal(await records.put({ client_msg_id: "a", text: "one" }), true);
  assert.equal(await new Records("bob").put({ client_msg_id: "b" }), true);
  const other = new Records("alice");
  assert.deepEqual(await other.all(), [{ scope: "alice", client_msg_id: "a", text: "one" }]);
  assert.deepEqual([await other.has("a"), await other.has("b")], [true, false]);
  await other.remove("a");
  assert.deepEqual([await records.all(), await records.has("a")], [[], false]);
});

test("where there is no database, nothing is kept, and nothing fails", async () => {
  Object.defineProperty(globalThis, "indexedDB", { value: undefined, configurable: true });
  const records = new Records("alice");
  assert.equal(await records.put({ client_msg_id: "a" }), false);
  await records.remove("a");
  assert.deepEqual([await records.all(), await records.has("a")], [[], undefined]);
});

test("what cannot be written is not kept", async () => {
  assert.equal(await new Records("alice").put({ client_msg_id: "a", data: () => {} }), false);
});

test("a database that was taken away is made anew by the next record", async () => {
  const records = new Records("alice");
  await records.put({ client_msg_id: "a" });
  await clearAll();
  assert.equal(await records.put({ client_msg_id: "b" }), true);
  await settle();
  assert.deepEqual([await records.has("a"), await records.has("b")], [undefined, true], "it may be unsent");
  assert.equal(await new Records("alice").has("a"), false);
});

test("a record is kept though the browser has closed the connection meanwhile", async () => {
  const records = new Records("alice");
  const opened = mock.method(indexedDB, "open");
  await records.put({ client_msg_id: "a" });
  for (const { result } of opened.mock.calls) result?.result.close();
  assert.equal(await records.put({ client_msg_id: "b" }), true);
  assert.equal((await new Records("alice").all()).length, 2);
});
