/** Requests that are loaded when they are needed. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { BaseClient } from "../../src/ssechat/web/base_client.js";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { Http, RequestError } from "../../src/ssechat/web/http.js";
import { lazily } from "../../src/ssechat/web/lazily.js";
import { REQUESTS } from "../../src/ssechat/web/more_requests.js";
import { fakeBrowser } from "./world.js";

beforeEach(() => fakeBrowser());

/** A client that notes what it is asked for. @param {BaseClient} client */
function noting(client) {
  /** @type {string[]} */
  const asked = [];
  client.http.exchange = async (method, path) => {
    asked.push(`${method} ${path}`);
    return { body: { users: [] }, headers: new Headers() };
  };
  return { client, asked };
}

test("a client has all requests, whether they are loaded from the beginning or when one is made", async () => {
  for (const { client, asked } of [noting(new BaseClient()), noting(new ChatClient())]) {
    await client.groups.end("g:1");
    await client.groups.end("g:2");
    await client.messages.edit("g:1", 2, { text: "x" });
    await client.messages.list("g:1");
    await client.conversations.mute("g:1", true);
    await client.conversations.get("g:1");
    await client.account.me();
    await client.blocks.add("bob");
    await client.presence.setVisible(true);
    assert.deepEqual(await client.users.find("bob"), []);
    assert.deepEqual(asked, [
      "DELETE /v1/conversations/g%3A1",
      "DELETE /v1/conversations/g%3A2",
      "PATCH /v1/conversations/g%3A1/messages/2",
      "GET /v1/conversations/g%3A1/messages",
      "PUT /v1/conversations/g%3A1/mute",
      "GET /v1/conversations/g%3A1",
      "GET /v1/me",
      "PUT /v1/blocks/bob",
      "PUT /v1/presence",
      "GET /v1/users",
    ]);
  }
});

test("what every program needs is asked for at once: nothing comes between a call and its request", () => {
  const { client, asked } = noting(new BaseClient());
  client.messages.send({ to: "bob", text: "hi" });
  client.conversations.list();
  client.groups.end("g:1");
  assert.deepEqual(asked, ["POST /v1/messages", "GET /v1/conversations"]);
});

test("requests that cannot be loaded fail like those that do not arrive, and the next try loads them", async () => {
  const requests = lazily(new Http(), "account", {}, () => Promise.reject(new TypeError("Failed to fetch")));
  await assert.rejects(requests.me(), (error) => error instanceof RequestError && error.code === "unreachable");
  let loads = 0;
  const later = lazily(new Http(), "account", {}, async () => {
    loads++;
    if (loads === 1) throw new TypeError("Failed to fetch");
    return { REQUESTS };
  });
  await assert.rejects(later.me());
  await assert.rejects(later.me(), RequestError); // there is no server
  await assert.rejects(later.me(), RequestError);
  assert.equal(loads, 2);
});
