/** Who is there: watched while it is shown, and kept until the stream says otherwise. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { seenAgo } from "../../src/ssechat/web/format.js";
import { RequestError } from "../../src/ssechat/web/http.js";
import { Presence } from "../../src/ssechat/web/presence.js";
import { PresenceRequests } from "../../src/ssechat/web/presence_requests.js";
import { collect, fakeBrowser, pass } from "./world.js";

beforeEach(() => fakeBrowser());

/** @typedef {import("../../src/ssechat/web/presence_requests.js").Person} Person */

/** @param {(watch: string[]) => Promise<Person[]>} answer */
function presence(answer = async (watch) => watch.map((user) => ({ user, online: false }))) {
  /** @type {{watch: string[], device: string, in?: string}[]} */
  const asked = [];
  const client = {
    presence: {
      /** @param {{watch: string[], device: string, in?: string}} list */
      async watch(list) {
        asked.push(list);
        return { users: await answer(list.watch), visible: true };
      },
    },
  };
  const made = new Presence(/** @type {any} */ (client));
  return { made, asked, lists: () => asked.map(({ watch }) => watch), changes: collect(made, "change") };
}

test("whom the views show is watched in one request, once they are calm", async () => {
  const { made, asked } = presence();
  made.add(() => ({ users: ["bob", "carol"] }));
  const end = made.add(() => ({ users: ["carol", "dave"], group: "g:1" }));
  await pass(300);
  made.look();
  await pass(300);
  assert.equal(asked.length, 0);
  await pass(200);
  const device = asked[0]?.device;
  assert.deepEqual(asked, [{ watch: ["carol", "dave", "bob"], device, in: "g:1" }]);
  made.look();
  await pass(1_000);
  assert.equal(asked.length, 1); // nothing has changed
  end();
  await pass(1_000);
  assert.deepEqual(asked.at(-1), { watch: ["bob", "carol"], device });
  made.close();
  made.look();
});

test("nobody is asked for while nobody is shown, and a hundred people at most", async () => {
  const { made, lists } = presence();
  let users = /** @type {string[]} */ ([]);
  made.add(() => ({ users }));
  await pass(1_000);
  assert.deepEqual(lists(), []);
  users = Array.from({ length: 150 }, (_, number) => `user${number}`);
  made.look();
  await pass(1_000);
  assert.equal(lists()[0]?.length, 100);
  users = [];
  made.look();
  await pass(1_000);
  assert.deepEqual(lists()[1], []);
  made.again();
  await pass(1_000);
  assert.equal(lists().length, 2);
  made.close();
});

test("the stream says who comes and goes; of others nothing is kept", async () => {
  const { made, changes } = presence();
  made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  assert.deepEqual(made.of("bob"), { user: "bob", online: false });
  made.receive({
    users: [
      { user: "bob", online: true },
      { user: "eve", online: true },
    ],
  });
  assert.deepEqual([made.of("bob")?.online, made.of("eve")], [true, undefined]);
  assert.equal(changes.length, 2);
  await pass(60_000);
  assert.equal(changes.length, 3, "“5 minutes ago” grows old");
  made.close();
});

test("who was online stays so in an answer: only the stream knows that somebody does not come back", async () => {
  const { made } = presence();
  made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  made.receive({ users: [{ user: "bob", online: true }] });
  made.again();
  await pass(1_000);
  assert.equal(made.of("bob")?.online, true);
  made.receive({ users: [{ user: "bob", online: false }] });
  assert.equal(made.of("bob")?.online, false);
  made.close();
});

test("after a reconnect the list is given again, under the same name", async () => {
  const { made, asked } = presence();
  made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  made.again();
  await pass(1_000);
  assert.deepEqual(asked[0], asked[1]);
  made.close();
});

/** The page goes, or comes back. @param {"pagehide"|"pageshow"} type @param {boolean} persisted */
function pageEvent(type, persisted) {
  window.dispatchEvent(Object.assign(new Event(type), { persisted }));
}

test("a page that is loaded again goes on with its list, and takes it back if it shows nobody", async () => {
  const before = presence();
  before.made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  pageEvent("pagehide", false);
  before.made.close();
  const { made, asked } = presence();
  made.add(() => ({ users: [] }));
  await pass(1_000);
  assert.deepEqual(asked, [{ watch: [], device: before.asked[0]?.device }]);
  made.again();
  await pass(1_000);
  assert.equal(asked.length, 1);
  made.close();
});

test("what is started anew in a page goes on with the list of what was closed there", async () => {
  const first = presence();
  first.made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  first.made.close();
  const second = presence();
  second.made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  assert.deepEqual(second.asked, first.asked);
  second.made.close();
});

test("a list that is due at once does not wait because the one before has failed", async () => {
  let fail = () => {};
  const { made, lists } = presence(() => new Promise((_, reject) => (fail = () => reject(new RequestError(503)))));
  made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  made.again();
  fail();
  await pass(500);
  assert.equal(lists().length, 2);
  made.close();
});

test("a duplicate of a tab has a list of its own, also when the tab has been in the back/forward cache", async () => {
  const { made, asked } = presence();
  made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  const second = presence(); // its sessionStorage is a copy
  second.made.add(() => ({ users: ["carol"] }));
  await pass(1_000);
  pageEvent("pagehide", true);
  pageEvent("pageshow", true);
  const third = presence();
  third.made.add(() => ({ users: [] }));
  await pass(1_000);
  assert.notEqual(asked[0]?.device, second.asked[0]?.device);
  assert.deepEqual(third.asked, []);
  for (const one of [made, second.made, third.made]) one.close();
});

test("a list that could not be taken back is taken back later", async () => {
  let away = false;
  const { made, lists } = presence(async () => {
    if (away) throw new RequestError(503, { code: "unavailable" });
    return [];
  });
  let users = ["bob"];
  made.add(() => ({ users }));
  await pass(1_000);
  [users, away] = [[], true];
  made.look();
  await pass(1_000);
  away = false;
  await pass(15_000);
  assert.deepEqual(lists(), [["bob"], [], []]);
  made.again();
  await pass(1_000);
  assert.equal(lists().length, 3);
  made.close();
});

test("a hidden tab asks for nobody until it is shown", async () => {
  const { made, asked } = presence();
  const page = /** @type {{hidden: boolean}} */ (document);
  page.hidden = true;
  made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  assert.equal(asked.length, 0);
  page.hidden = false;
  made.again();
  await pass(1_000);
  assert.equal(asked.length, 1);
  made.close();
});

test("a server that is away is asked again, one that refuses is not", async () => {
  let status = 503;
  const { made, asked } = presence(async () => {
    throw new RequestError(status, { code: "unavailable" });
  });
  made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  await pass(15_000);
  assert.equal(asked.length, 2);
  status = 403;
  await pass(15_000);
  assert.equal(asked.length, 3);
  await pass(60_000);
  assert.equal(asked.length, 3);
  assert.equal(made.of("bob"), undefined);
  made.close();
});

test("a list waits for the answer to the one before, which could arrive after it", async () => {
  /** @type {((people: Person[]) => void)[]} */
  const answers = [];
  const { made, lists } = presence(() => new Promise((resolve) => answers.push(resolve)));
  let users = ["bob"];
  made.add(() => ({ users }));
  await pass(1_000);
  users = ["carol"];
  made.look();
  await pass(1_000);
  assert.deepEqual(lists(), [["bob"]]);
  answers[0]?.([{ user: "bob", online: true }]);
  await pass(1_000);
  assert.deepEqual(lists(), [["bob"], ["carol"]]);
  answers[1]?.([{ user: "carol", online: true }]);
  await pass(1_000);
  assert.deepEqual([made.of("bob"), made.of("carol")?.online, lists().length], [undefined, true, 2]);
  made.close();
});

test("an answer from before a reconnect is not believed, and the list is given again", async () => {
  /** @type {((people: Person[]) => void)[]} */
  const answers = [];
  const { made, lists } = presence(() => new Promise((resolve) => answers.push(resolve)));
  made.add(() => ({ users: ["bob"] }));
  await pass(1_000);
  made.again();
  await pass(1_000);
  answers[0]?.([{ user: "bob", online: true }]);
  await pass(1_000);
  assert.deepEqual([made.of("bob"), lists()], [undefined, [["bob"], ["bob"]]]);
  made.close();
});

test("a list that waits for one that is refused is given then", async () => {
  let refuse = () => {};
  const { made, lists } = presence(
    ([user]) =>
      new Promise((resolve, reject) => {
        if (user === "bob") refuse = () => reject(new RequestError(403));
        else resolve([]);
      }),
  );
  let users = ["bob"];
  made.add(() => ({ users }));
  await pass(1_000);
  users = ["carol"];
  made.look();
  await pass(1_000);
  refuse();
  await pass(1_000);
  assert.deepEqual(lists(), [["bob"], ["carol"]]);
  made.close();
});

test("the list is given again every ten minutes, as the server keeps few of a user", async () => {
  const { made, lists } = presence();
  made.add(() => ({ users: ["bob"] }));
  await pass(11 * 60_000);
  assert.deepEqual(lists(), [["bob"], ["bob"]]);
  made.close();
  await pass(11 * 60_000);
  assert.equal(lists().length, 2);
});

test("the requests are those of the contract", async () => {
  /** @type {any[]} */
  const asked = [];
  const requests = new PresenceRequests(
    /** @type {any} */ ({
      request: async (/** @type {any[]} */ ...request) => {
        asked.push(request);
        return { users: [], visible: false };
      },
    }),
  );
  await requests.watch({ watch: ["bob"], device: "a" });
  await requests.setVisible(true);
  const bodies = [{ watch: ["bob"], device: "a" }, { visible: true }];
  assert.deepEqual(
    asked,
    bodies.map((body) => ["PUT", "/v1/presence", { body }]),
  );
});

test("how long ago somebody was there is said as people say it", () => {
  const now = new Date(2026, 10, 26, 12, 0, 0);
  const ago = (/** @type {number} */ minutes) => seenAgo(new Date(now.getTime() - minutes * 60_000), now);
  assert.deepEqual(
    [ago(-1), ago(0.4), ago(1), ago(5), ago(59)],
    ["just now", "just now", "1 minute ago", "5 minutes ago", "59 minutes ago"],
  );
  assert.match(ago(120), /^at 1?0[:.]00/);
  assert.match(ago(24 * 60), /^yesterday at /);
  assert.match(ago(24 * 60 * 5), /^on .*21/);
});
