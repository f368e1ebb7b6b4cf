/** The pasted token, which lasts as long as the tab. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isNone, newConversation } from "../../src/ssechat/web/conversation.js";
import { tabToken } from "../../src/ssechat/web/tab_token.js";
import { FakeStorage, message } from "./world.js";

/** @param {boolean} blocked */
function fakeTab(blocked) {
  const value = Object.assign(new FakeStorage(), { blocked });
  Object.defineProperty(globalThis, "sessionStorage", { value, configurable: true });
}

test("a tab keeps its token until it is taken away", () => {
  fakeTab(false);
  assert.equal(tabToken.get(), null);
  tabToken.set("t");
  assert.equal(tabToken.get(), "t");
  tabToken.set(null);
  assert.equal(tabToken.get(), null);
});

test("where storage is blocked there is no token, and no error", () => {
  fakeTab(true);
  tabToken.set("t");
  assert.equal(tabToken.get(), null);
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
