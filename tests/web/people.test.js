/** What people are called: asked for together when they are shown, and one's own profile by its events. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ChatClient } from "../../src/ssechat/web/client.js";
import { Directory } from "../../src/ssechat/web/directory.js";
import { RequestError } from "../../src/ssechat/web/http.js";
import { People } from "../../src/ssechat/web/people.js";
import { deviceOf } from "../../src/ssechat/web/user_agent.js";
import { collect, deferred, fakeBrowser, pass, settle } from "./world.js";

beforeEach(() => fakeBrowser());

/** @param {any} client @param {any} ways */
function people(client, ways = {}) {
  const made = new People(/** @type {any} */ ({ users: client, account: client }), "alice", ways);
  return { people: made, changes: collect(made, "change") };
}

/** A server that calls everybody by their ids in capitals. */
function named() {
  /** @type {string[][]} */
  const asked = [];
  const client = {
    async list(/** @type {string[]} */ ids) {
      asked.push(ids);
      return ids.map((id) => ({ id, display_name: id.toUpperCase(), avatar_url: `https://x.example/${id}` }));
    },
  };
  return { client, asked };
}

test("people are called by their ids until it is known how, and are asked for together", async () => {
  const { client, asked } = named();
  const { people: shown, changes } = people(client);
  assert.deepEqual([shown.name("bob"), shown.called("eve"), shown.called("bob")], ["bob", "", ""]);
  await pass(20);
  await settle();
  assert.deepEqual(asked, [["bob", "eve"]]);
  assert.deepEqual([shown.name("bob"), shown.called("eve"), shown.picture("bob")], ["BOB", "EVE", ""]);
  assert.equal(changes.length, 1);
  await pass(1_000);
  assert.equal(asked.length, 1, "what is known is not asked again");
});

test("what a search has told is not asked for", async () => {
  const { client, asked } = named();
  const { people: shown, changes } = people(client);
  shown.learn([{ id: "bob", display_name: "Bob" }]);
  assert.deepEqual([shown.name("bob"), changes.length], ["Bob", 1]);
  await pass(20);
  assert.deepEqual(asked, []);
});

test("pictures are shown where the server shows them", async () => {
  const { client } = named();
  const { people: shown } = people(client, { avatars: true });
  shown.picture("bob");
  await pass(20);
  await settle();
  assert.deepEqual([shown.picture("bob"), shown.pictures], ["https://x.example/bob", true]);
});

test("what is old is asked again, and shown meanwhile", async () => {
  const { client, asked } = named();
  const { people: shown, changes } = people(client);
  shown.name("bob");
  await pass(20);
  await settle();
  await pass(5 * 60_000 + 1);
  assert.equal(shown.name("bob"), "BOB");
  await pass(20);
  await settle();
  assert.deepEqual([asked.length, changes.length], [2, 1]);
});

test("a hundred are asked for at a time", async () => {
  const { client, asked } = named();
  const { people: shown } = people(client);
  for (let n = 0; n < 250; n++) shown.name(`user${n}`);
  for (let n = 0; n < 3; n++) {
    await pass(20);
    await settle();
  }
  assert.deepEqual(
    asked.map((ids) => ids.length),
    [100, 100, 50],
  );
});

test("what is remembered is bounded", async () => {
  const { client, asked } = named();
  const { people: shown } = people(client);
  for (let n = 0; n < 5_001; n++) shown.name(`user${n}`);
  for (let n = 0; n < 51; n++) {
    await pass(20);
    await settle();
  }
  assert.equal(asked.length, 51);
  assert.deepEqual([shown.called("user0"), shown.called("user5000")], ["", "USER5000"]);
});

test("a server that cannot be asked is asked again later; one that refuses is not", async () => {
  let error = new RequestError(429, { code: "quota_exceeded" }, 40_000);
  let asked = 0;
  const { people: shown } = people({
    async list() {
      asked += 1;
      throw error;
    },
  });
  shown.name("bob");
  await pass(20);
  await settle();
  await pass(39_000);
  assert.equal(asked, 1);
  error = new RequestError(404, { code: "not_found" });
  await pass(1_000);
  await settle();
  assert.equal(asked, 2);
  shown.name("bob");
  await pass(60_000);
  assert.equal(asked, 2);
});

test("who could not be asked for is asked for at once when the server is back", async () => {
  const { client, asked } = named();
  let away = true;
  const list = async (/** @type {string[]} */ ids) => {
    if (away) throw new RequestError(0);
    return client.list(ids);
  };
  const { people: shown } = people({ list });
  shown.again();
  shown.name("bob");
  await pass(1_000);
  away = false;
  shown.again();
  await pass(20);
  assert.deepEqual([asked, shown.name("bob")], [[["bob"]], "BOB"]);
  shown.again();
  await pass(1_000);
  assert.equal(asked.length, 1);
});

test("one's own profile is fetched when an event tells of a change, and an older answer is dropped", async () => {
  const profile = { user: "alice", receipts: true, version: 1, display_name: "Alice" };
  let asked = 0;
  const client = {
    async me() {
      asked += 1;
      return { ...profile, version: asked, display_name: `Alice ${asked}` };
    },
    async change() {
      return { ...profile, version: 9, display_name: "Ally" };
    },
  };
  const { people: shown, changes } = people(client);
  assert.equal(shown.me, null);
  await shown.refresh();
  assert.equal(shown.name("alice"), "Alice 1");
  shown.receive({ version: 1 });
  assert.equal(asked, 1);
  shown.receive({ version: 2 });
  await settle();
  assert.equal(shown.called("alice"), "Alice 2");
  await shown.change({ display_name: "Ally" });
  await shown.refresh();
  assert.equal(shown.called("alice"), "Ally", "the answer is older than the change");
  await shown.refresh({ lost: true });
  assert.equal(shown.called("alice"), "Alice 4", "the server has lost the change");
  assert.equal(changes.length, 4);
});

test("that the server has lost a change is still known when it answers later", async () => {
  let version = 7;
  const { people: shown } = people({
    async me() {
      if (!version) throw new RequestError(503);
      return { user: "alice", receipts: true, version, display_name: `Alice ${version}` };
    },
  });
  await shown.refresh();
  version = 0;
  await shown.refresh({ lost: true });
  version = 3;
  await pass(30_000);
  assert.equal(shown.called("alice"), "Alice 3");
  shown.close();
});

test("a profile that cannot be fetched is asked for again, until the page is closed", async () => {
  let asked = 0;
  const { people: shown } = people({
    async me() {
      asked += 1;
      throw new RequestError(503);
    },
  });
  await shown.refresh();
  await pass(30_000);
  await settle();
  assert.equal(asked, 2);
  shown.name("bob");
  shown.close();
  shown.name("eve");
  await pass(60_000);
  assert.equal(asked, 2);
});

test("an answer that comes after the page is closed changes nothing", async () => {
  const answer = deferred();
  const { people: shown, changes } = people({ list: () => answer.promise });
  shown.name("bob");
  await pass(20);
  shown.close();
  answer.resolve([{ id: "bob", display_name: "BOB" }]);
  await settle();
  assert.deepEqual(changes, []);
});

test("a search waits until the typing pauses, and is dropped if something else is typed", async () => {
  /** @type {string[]} */
  const asked = [];
  const client = {
    async find(/** @type {string} */ prefix) {
      asked.push(prefix);
      if (prefix === "eve") throw new RequestError(0);
      return [{ id: "bobby" }];
    },
  };
  const directory = new Directory(/** @type {any} */ ({ users: client }), true);
  const [first, second] = [directory.find("bob"), directory.find("bobb")];
  await pass(250);
  assert.deepEqual([await first, await second], [null, [{ id: "bobby" }]]);
  assert.deepEqual(await directory.find("bo"), []);
  const third = directory.find("eve");
  await pass(250);
  assert.deepEqual([await third, asked], [[], ["bobb", "eve"]]);
  assert.deepEqual(await new Directory(/** @type {any} */ ({ users: client }), false).find("bob"), []);
});

test("requests about the account are as the server has them", async () => {
  /** @type {any[]} */
  const asked = [];
  const client = new ChatClient();
  client.http.request = async (method, path, options = {}) => {
    asked.push([method, path, ...Object.values(options)]);
    return { users: ["u"], sessions: ["s"] };
  };
  assert.deepEqual(await client.users.list(["bob", "eve"]), ["u"]);
  assert.deepEqual(await client.users.find("bob"), ["u"]);
  await client.account.me();
  await client.account.change({ display_name: null });
  await client.account.changePassword("old one", "new one");
  assert.deepEqual(await client.account.sessions(), ["s"]);
  await client.account.endSession("a/b");
  assert.deepEqual(asked, [
    ["GET", "/v1/users", { ids: "bob,eve" }],
    ["GET", "/v1/users", { prefix: "bob" }],
    ["GET", "/v1/me"],
    ["PATCH", "/v1/me", { display_name: null }],
    ["PUT", "/v1/me/password", { old: "old one", new: "new one" }],
    ["GET", "/v1/me/sessions"],
    ["DELETE", "/v1/me/sessions/a%2Fb"],
  ]);
});

test("a device is called by its browser and system, another program by its name", () => {
  const chrome =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
  const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) (KHTML, like Gecko) Version/18.0 Safari/604.1";
  assert.deepEqual(
    [chrome, `${chrome} Edg/130.0`, phone, "Firefox/130", "curl/8.5.0", "python-httpx/0.28", "", " x"].map(deviceOf),
    [
      "Chrome on Windows",
      "Edge on Windows",
      "Safari on iPhone",
      "Firefox",
      "curl",
      "python-httpx",
      "Unknown program",
      "Unknown program",
    ],
  );
});
