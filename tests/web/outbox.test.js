/** Messages that are not yet known to be sent. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { RequestError } from "../../src/ssechat/web/http.js";
import { Outbox } from "../../src/ssechat/web/outbox.js";
import { Records } from "../../src/ssechat/web/records.js";
import { collect, deferred, fakeBrowser, message, pass, settle } from "./world.js";

/** @typedef {import("../../src/ssechat/web/outbox.js").Entry} Entry */

const BOB = "dm:alice:bob";
const SCOPE = "ssechat:outbox::alice";

/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
});

/**
 * A server that answers each send with the next of these, then with success.
 *
 * @param {...(RequestError|Promise<any>|null)} answers
 */
function server(...answers) {
  /** @type {Entry[]} */
  const sent = [];
  const send = async (/** @type {Entry} */ entry) => {
    sent.push(entry);
    const answer = answers.shift();
    if (answer instanceof RequestError) throw answer;
    await answer;
    return message(sent.length, { ...entry, sender: "alice" });
  };
  return { send, sent, texts: () => sent.map(({ text }) => text) };
}

/** @param {(entry: Entry) => Promise<any>} send @param {() => boolean} [allowed] */
const outboxOf = (send, allowed = () => true) => new Outbox({ user: "alice", send, allowed });

/** @param {string} text */
const draft = (text, conversation_id = BOB) => ({ conversation_id, to: "bob", text });

/** What is kept, as another page finds it. */
async function kept() {
  const records = await new Records(SCOPE).all();
  return records.map(({ scope, ...entry }) => entry);
}

test("messages of a conversation are sent one after the other, in the order in which they were written", async () => {
  const first = deferred();
  const { send, texts } = server(first.promise);
  const outbox = outboxOf(send);
  const sent = collect(outbox, "sent");
  for (const text of ["one", "two", "three"]) outbox.add(draft(text));
  await settle();
  assert.deepEqual(texts(), ["one"]);
  first.resolve(null);
  await settle();
  assert.deepEqual(texts(), ["one", "two", "three"]);
  assert.deepEqual(
    sent.map(({ text }) => text),
    ["one", "two", "three"],
  );
  assert.deepEqual(outbox.all, []);
  assert.deepEqual(await kept(), []);
});

test("a conversation that cannot send does not hold up another", async () => {
  const { send, texts } = server(/** @type {Promise<any>} */ (deferred().promise));
  const outbox = outboxOf(send);
  outbox.add(draft("stuck"));
  outbox.add(draft("elsewhere", "g:1"));
  await settle();
  assert.deepEqual(texts(), ["stuck", "elsewhere"]);
  assert.deepEqual(
    outbox.entries(BOB).map(({ text }) => text),
    ["stuck"],
  );
});

test("a message is sent again under the same id until the server answers, and the next one waits", async () => {
  const { send, sent, texts } = server(new RequestError(0), new RequestError(503));
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  outbox.add(draft("two"));
  await pass(1_000);
  assert.deepEqual(texts(), ["one", "one"]);
  await pass(2_000);
  assert.deepEqual(texts(), ["one", "one", "one", "two"]);
  assert.equal(new Set(sent.slice(0, 3).map(({ client_msg_id }) => client_msg_id)).size, 1);
});

test("why the server does not take a message yet is told; that nobody can be reached is not", async () => {
  const { send } = server(
    new RequestError(503, { code: "full", detail: "Full." }),
    new RequestError(0),
    deferred().promise,
  );
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  await settle();
  const told = () => [outbox.all[0]?.reason, outbox.all[0]?.code, outbox.all[0]?.state];
  assert.deepEqual(told(), ["Full.", "full", "queued"]);
  await pass(1_000);
  assert.deepEqual(told(), [undefined, undefined, "queued"]);
});

test("a message that the server refuses fails with the reason, and the next one is sent", async () => {
  const { send, texts } = server(new RequestError(403, { detail: "Not allowed." }));
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  outbox.add(draft("two"));
  await settle();
  assert.deepEqual(texts(), ["one", "two"]);
  const [failed] = outbox.all;
  assert.deepEqual([failed?.text, failed?.state, failed?.reason], ["one", "failed", "Not allowed."]);
  outbox.retry(failed?.client_msg_id ?? "");
  await settle();
  assert.deepEqual(texts(), ["one", "two", "one"]);
  assert.deepEqual(outbox.all, []);
});

test("what the server asked to wait is waited, even when a wake-up comes", async () => {
  const { send, sent } = server(new RequestError(429, {}, 30_000));
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  await pass(20_000);
  outbox.wake();
  await settle();
  assert.equal(sent.length, 1);
  await pass(10_000);
  assert.equal(sent.length, 2);
});

test("a wake-up ends the wait for the next attempt", async () => {
  const { send, sent } = server(new RequestError(0));
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  await settle();
  outbox.wake();
  await settle();
  assert.equal(sent.length, 2);
});

test("unsent messages survive a reload, and are sent in order", async () => {
  const { send } = server(new RequestError(0));
  const before = outboxOf(send);
  for (const text of ["one", "two"]) before.add(draft(text));
  await settle();
  before.close();
  await pass(5_000);
  const after = server();
  const outbox = outboxOf(after.send);
  const changes = collect(outbox, "change");
  await outbox.loaded;
  assert.deepEqual(
    outbox.all.map(({ text }) => text),
    ["one", "two"],
  );
  assert.deepEqual(changes, [BOB, BOB]);
  outbox.start();
  await settle();
  assert.deepEqual(after.texts(), ["one", "two"]);
});

test("a later message is last, though the clock went back", async () => {
  const { send, texts } = server(new RequestError(0));
  await new Records(SCOPE).put({ ...draft("one"), client_msg_id: "a", order: Date.now() + 60_000, state: "queued" });
  const outbox = outboxOf(send);
  await outbox.loaded;
  outbox.add(draft("two"));
  await pass(1_000);
  assert.deepEqual(texts(), ["one", "one", "two"]);
});

test("what is kept but is no message is left alone", async () => {
  await new Records(SCOPE).put({ client_msg_id: "c" });
  const outbox = outboxOf(server().send);
  await outbox.loaded;
  assert.deepEqual(outbox.all, []);
});

test("messages are sent where nothing can be kept", async () => {
  Object.defineProperty(globalThis, "indexedDB", { value: undefined, configurable: true });
  const { send, texts } = server();
  outboxOf(send).add(draft("one"));
  await settle();
  assert.deepEqual(texts(), ["one"]);
});

test("a signed-out user's messages are kept, not sent", async () => {
  const { send, sent } = server(new RequestError(401));
  const outbox = outboxOf(send);
  const unauthorized = collect(outbox, "unauthorized");
  outbox.add(draft("one"));
  outbox.add(draft("two"));
  await pass(60_000);
  assert.deepEqual([sent.length, unauthorized.length, outbox.all.length], [1, 1, 2]);
  assert.equal((await kept()).length, 2);
});

test("nothing is sent in the name of a user whom the cookie does not sign in any more", async () => {
  const { send, sent } = server();
  const outbox = outboxOf(send, () => false);
  outbox.add(draft("one"));
  await settle();
  assert.deepEqual([sent.length, outbox.all.length], [0, 1]);
});

test("while the database is asked for a message the outbox may close, the user change or the message go", async () => {
  for (const meanwhile of /** @type {const} */ (["closed", "another user", "removed"])) {
    const { send, sent } = server();
    let signedIn = true;
    const outbox = outboxOf(send, () => signedIn);
    const asked = mock.method(Records.prototype, "has", async (/** @type {string} */ id) => {
      if (meanwhile === "closed") outbox.close();
      if (meanwhile === "another user") signedIn = false;
      if (meanwhile === "removed") outbox.remove(id);
      return true;
    });
    outbox.add(draft("one"));
    await settle();
    assert.deepEqual([sent.length, asked.mock.callCount()], [0, 1], meanwhile);
    asked.mock.restore();
    fakeBrowser();
  }
});

test("a message that another tab has sent is not sent again", async () => {
  const first = deferred();
  const { send, texts } = server(first.promise);
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  const { client_msg_id } = outbox.add(draft("two"));
  await settle();
  await new Records(SCOPE).remove(client_msg_id); // that tab's word of it is still under way
  first.resolve(null);
  await settle();
  assert.deepEqual([texts(), outbox.all], [["one"], []]);
});

test("a tab follows what another writes and removes", async () => {
  const { send, sent } = server(new RequestError(0), new RequestError(0));
  const outbox = outboxOf(send);
  const changes = collect(outbox, "change");
  const entry = { ...draft("from there"), client_msg_id: "a", order: 1, state: "queued" };
  await new Records(SCOPE).put(entry);
  const tab = new BroadcastChannel(SCOPE);
  tab.postMessage({ id: "a", entry });
  await settle();
  assert.deepEqual([outbox.all, sent.length], [[entry], 1]);
  tab.postMessage({ id: "a", entry: null });
  tab.postMessage({ id: "unknown", entry: null });
  await settle();
  assert.deepEqual([outbox.all, changes], [[], [BOB, BOB]]);
});

test("one tab at a time sends in a conversation; when it closes, the next one goes on with what is left", async () => {
  const answer = deferred();
  const first = server(answer.promise);
  const second = server();
  const outbox = outboxOf(first.send);
  outbox.add(draft("one"));
  outbox.add(draft("two"));
  await settle();
  const other = outboxOf(second.send);
  other.start();
  await settle();
  assert.deepEqual([first.texts(), second.texts()], [["one"], []]);
  outbox.close();
  answer.resolve(null);
  await settle();
  assert.deepEqual([first.texts(), second.texts(), other.all], [["one"], ["two"], []]);
});

test("a visible tab waits five seconds for a frozen one, then sends by itself", async () => {
  outboxOf(server(deferred().promise).send).add(draft("one"));
  await settle();
  const { send, texts } = server();
  outboxOf(send).start();
  browser.document.hidden = true;
  await pass(20_000);
  assert.deepEqual(texts(), []);
  browser.document.hidden = false;
  await pass(5_000);
  assert.deepEqual(texts(), ["one"]);
});

test("messages are sent where there are no locks", async () => {
  browser.navigator.locks = undefined;
  const { send, texts } = server();
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  outbox.add(draft("two"));
  await settle();
  assert.deepEqual(texts(), ["one", "two"]);
});

test("without locks the tab that wrote a message sends it, and a visible one if that has not in time", async () => {
  browser.navigator.locks = undefined;
  const stuck = deferred();
  const [writer, other] = [server(null, stuck.promise), server()];
  const outbox = outboxOf(writer.send);
  outboxOf(other.send);
  outbox.add(draft("one"));
  await pass(6_000);
  assert.deepEqual([writer.texts(), other.texts()], [["one"], []]);
  outbox.add(draft("two"));
  browser.document.hidden = true;
  await pass(6_000);
  assert.deepEqual([writer.texts(), other.texts()], [["one", "two"], []]);
  browser.document.hidden = false;
  outbox.add(draft("three"));
  await pass(4_900);
  assert.deepEqual(other.texts(), []);
  await pass(200);
  assert.deepEqual(other.texts(), ["two", "three"]);
  stuck.resolve(null);
  await settle();
  assert.deepEqual([writer.texts(), outbox.all, await kept()], [["one", "two"], [], []]);
});

test("a page that becomes visible sends what another left, and what waits for its next attempt", async () => {
  browser.navigator.locks = undefined;
  browser.document.hidden = true;
  const [writer, other] = [server(deferred().promise), server(new RequestError(0))];
  outboxOf(writer.send).add(draft("from a tab that is killed"));
  const outbox = outboxOf(other.send);
  await pass(20_000);
  assert.deepEqual(other.texts(), []);
  for (const times of [1, 2]) {
    outbox.start();
    await settle();
    assert.equal(other.sent.length, times);
  }
  assert.deepEqual(outbox.all, []);
});

test("a message that is removed while it waits is not sent", async () => {
  const { send, sent } = server(new RequestError(0));
  const outbox = outboxOf(send);
  const { client_msg_id } = outbox.add(draft("one"));
  await settle();
  outbox.clear();
  outbox.remove(client_msg_id);
  outbox.retry(client_msg_id);
  await pass(60_000);
  assert.deepEqual([sent.length, await kept()], [1, []]);
});

test("a message that is removed while it is under way does not come back as refused", async () => {
  const answer = deferred();
  const { send } = server(answer.promise);
  const outbox = outboxOf(send);
  const { client_msg_id } = outbox.add(draft("one"));
  await settle();
  outbox.remove(client_msg_id);
  answer.reject(new RequestError(403));
  await settle();
  assert.deepEqual([outbox.all, await kept()], [[], []]);
});

test("a closed outbox sends nothing, and keeps what it has", async () => {
  const { send, sent } = server(new RequestError(0));
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  await settle();
  outbox.close();
  await pass(60_000);
  assert.deepEqual([sent.length, (await kept()).length], [1, 1]);
});

test("what is unsent is sent though the database has been cleared meanwhile", async () => {
  const { send, texts } = server(new RequestError(503));
  const outbox = outboxOf(send);
  outbox.add(draft("one"));
  outbox.add(draft("two"));
  await settle();
  const request = indexedDB.deleteDatabase("ssechat");
  await new Promise((resolve) => {
    request.onsuccess = resolve;
  });
  await pass(5_000);
  assert.deepEqual([texts(), outbox.all], [["one", "one", "two"], []]);
  outbox.close();
});
