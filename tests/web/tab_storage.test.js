/** What lasts as long as the tab. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { invitation, tabToken } from "../../src/ssechat/web/tab_storage.js";
import { FakeStorage } from "./world.js";

/** @param {boolean} blocked */
function fakeTab(blocked) {
  const value = Object.assign(new FakeStorage(), { blocked });
  Object.defineProperty(globalThis, "sessionStorage", { value, configurable: true });
}

test("a tab keeps its token until it is taken away", () => {
  fakeTab(false);
  assert.equal(tabToken.get(), null);
  tabToken.set("t");
  assert.deepEqual([tabToken.get(), invitation.get()], ["t", null]);
  tabToken.set(null);
  assert.equal(tabToken.get(), null);
});

test("what does not fit into the storage is kept by the page", () => {
  fakeTab(false);
  mock.method(sessionStorage, "setItem", () => {
    throw new DOMException("full", "QuotaExceededError");
  });
  tabToken.set("t");
  assert.equal(tabToken.get(), "t");
  tabToken.set(null);
  assert.equal(tabToken.get(), null);
});

test("where storage is blocked the page keeps it, without an error", () => {
  fakeTab(true);
  assert.equal(tabToken.get(), null);
  tabToken.set("t");
  assert.equal(tabToken.get(), "t");
  tabToken.set(null);
  assert.equal(tabToken.get(), null);
});
