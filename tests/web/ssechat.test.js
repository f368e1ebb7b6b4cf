/** The library: one class with everything. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Records } from "../../src/ssechat/web/records.js";
import { SIGNED_IN } from "../../src/ssechat/web/storage.js";
import {
  collect,
  deferred,
  FakeSource,
  fakeBrowser,
  fakeServer,
  latestSource,
  message,
  pass,
  settle,
} from "./world.js";

/** @typedef {import("../../src/ssechat/web/ssechat.js").SseChat} SseChat */

/** The library of the modules, or in one file. */
const MODULE = process.env.LIBRARY ?? "../../src/ssechat/web/ssechat.js";
const { RequestError, SseChat } = /** @type {typeof import("../../src/ssechat/web/ssechat.js")} */ (
  await import(MODULE)
);

const BOB = "dm:alice:bob";

/** @type {SseChat[]} */
let chats = [];
/** @type {ReturnType<typeof fakeBrowser>} */
let browser;

beforeEach(() => {
  browser = fakeBrowser();
  chats = [];
});

afterEach(() => {
  for (const chat of chats) chat.close();
});

/** @param {ConstructorParameters<typeof SseChat>[0]} options */
function made(options = {}) {
  const chat = new SseChat(options);
  chats.push(chat);
  return { chat, states: collect(chat, "state") };
}

/** A page of alice's, live. @param {any[]} history */
async function live(history = []) {
  const server = fakeServer(history);
  const { chat, states } = made();
  await chat.start();
  await settle();
  latestSource().event("hello", { resumed: false }, "1-a");
  await settle();
  return { chat, states, server };
}

/** What alice has not sent, in order, as the next page finds it. */
async function unsent() {
  const kept = await new Records("ssechat:outbox::alice").all();
  return kept.sort((a, b) => a.order - b.order);
}

/** @param {any[]} states */
const names = (states) => states.map(({ state }) => state);

test("it starts as the user whom the cookie signs in, and shows the conversations with what is unread", async () => {
  const { chat, states } = await live([message(1), message(2)]);
  assert.deepEqual([chat.user, names(states), chat.state.state], ["alice", ["connecting", "live"], "live"]);
  const [one] = chat.conversations;
  assert.deepEqual([one?.id, one?.title, one?.unread, one?.mentioned, chat.unread], [BOB, "bob", 2, false, 2]);
  assert.equal(browser.localStorage.getItem(SIGNED_IN), "alice");
  chat.markRead(BOB);
  assert.equal(chat.unread, 0);
});

test("the conversation that is shown has its messages, and older ones when they are asked for", async () => {
  const { chat } = await live([message(1)]);
  const changes = collect(chat, "change");
  assert.deepEqual(chat.history(BOB), []);
  await chat.older();
  chat.show(BOB);
  await settle();
  await chat.older();
  assert.deepEqual(
    chat.history(BOB).map(({ text }) => text),
    ["text 1"],
  );
  assert.ok(changes.includes(BOB));
});

test("events of the stream are events of the object, once its state has them", async () => {
  const { chat } = await live([message(1)]);
  const seen = /** @type {any[]} */ ([]);
  chat.on("message", ({ text }) => seen.push([text, chat.unread]));
  latestSource().event("message", message(2), "2-b");
  assert.deepEqual([seen, chat.cursor], [[["text 2", 2]], "2-b"]);
});

test("the start is tried until the server answers; the state has the time of the next attempt", async () => {
  const server = fakeServer();
  server.failing = 503;
  const { chat, states } = made();
  const started = chat.start();
  await settle();
  assert.deepEqual(states.at(-1), { state: "reconnecting", retryAt: Date.now() + 1_000, code: "unknown" });
  server.failing = null;
  await pass(1_000);
  assert.deepEqual([await started, chat.user], [{ user: "alice" }, "alice"]);
});

test("nobody is signed in: the start says so, and the state, too", async () => {
  fakeServer().failing = 401;
  const { chat, states } = made();
  await assert.rejects(chat.start(), { status: 401 });
  assert.deepEqual([names(states), chat.user, chat.unread], [["connecting", "signed_out"], null, 0]);
  assert.throws(() => chat.markRead(BOB), { code: "signed_out" });
  await assert.rejects(chat.send({ to: "bob", text: "hi" }), { code: "signed_out" });
  assert.deepEqual(chat.conversations, []);
});

test("a start ends when its signal is aborted, or when it is closed", async () => {
  fakeServer().failing = 503;
  const { chat, states } = made();
  const ending = new AbortController();
  const first = chat.start({ signal: ending.signal });
  await settle();
  ending.abort();
  await assert.rejects(first, { name: "AbortError" });
  assert.equal(names(states).at(-1), "closed");
  const second = chat.start();
  await settle();
  chat.close();
  await assert.rejects(second, { name: "AbortError" });
  await assert.rejects(chat.start({ signal: ending.signal }), { name: "AbortError" });
});

test("a message is sent when the server can be reached, however long that takes", async () => {
  const { chat, server } = await live();
  server.failing = 503;
  const sending = chat.send({ to: "bob", text: "hi", data: { colour: "red" } });
  await pass(10_000);
  server.failing = null;
  await pass(20_000);
  const sent = await sending;
  assert.deepEqual([sent.text, server.history.length], ["hi", 1]);
  assert.deepEqual(server.bodies["POST /v1/messages"].data, { colour: "red" });
});

test("a message counts as sent when the stream has it, though the answer was lost", async () => {
  const { chat, server } = await live();
  server.failing = 503;
  const sending = chat.send({ conversation_id: BOB, text: "hi" });
  await settle();
  const [{ client_msg_id } = { client_msg_id: "" }] = await unsent();
  latestSource().event("message", message(1, { sender: "alice", text: "hi", client_msg_id }), "2-b");
  assert.equal((await sending).seq, 1);
});

test("a message counts as sent when it is loaded, though the answer and the event were lost", async () => {
  const { chat, server } = await live([message(1)]);
  chat.show(BOB);
  await settle();
  server.failing = 503;
  const sending = [chat.send({ to: "bob", text: "hi" }), chat.send({ to: "bob", text: "there", client_msg_id: "b" })];
  await settle();
  const [{ client_msg_id } = { client_msg_id: "" }] = await unsent();
  server.failing = null;
  server.history.push(message(2, { client_msg_id: "b" }), message(3, { sender: "alice", text: "hi", client_msg_id }));
  mock.method(chat.client.messages, "send", () => new Promise(() => {}));
  latestSource().event("reset", { reason: "gap" }, "9-z");
  await pass(1_000);
  assert.equal((await sending[0])?.seq, 3);
  assert.deepEqual(
    (await unsent()).map(({ text }) => text),
    ["there"],
    "somebody else's message of that name is another one",
  );
  latestSource().event("message", message(4, { sender: "alice", text: "there", client_msg_id: "b" }), "10-a");
  assert.equal((await sending[1])?.seq, 4);
});

test("all who wait for one message get it, or hear why not", async () => {
  const { chat, server } = await live();
  server.failing = 503;
  const send = () => chat.send({ to: "bob", text: "hi", client_msg_id: "once" });
  const sending = [send(), send()];
  await settle();
  server.failing = null;
  await pass(20_000);
  assert.deepEqual(
    (await Promise.all(sending)).map(({ seq }) => seq),
    [1, 1],
  );
  server.failing = 403;
  const refused = ["first", "second"].map((text) => chat.send({ to: "bob", text, client_msg_id: "again" }));
  for (const one of refused) await assert.rejects(one, { status: 400 });
});

test("a message that the server refuses fails with the server's code, and is not kept", async () => {
  const { chat, server } = await live();
  server.failing = 403;
  await assert.rejects(chat.send({ to: "bob", text: "hi" }), { name: "RequestError", code: "unknown" });
  assert.deepEqual(await unsent(), []);
  await assert.rejects(chat.send({ text: "to nobody" }), TypeError);
});

test("a message can be taken back while it is not sent", async () => {
  const { chat, server } = await live();
  server.failing = 503;
  const ending = new AbortController();
  const sending = chat.send({ to: "bob", text: "hi" }, { signal: ending.signal });
  await settle();
  ending.abort();
  await assert.rejects(sending, { name: "AbortError" });
  server.failing = null;
  await pass(60_000);
  assert.deepEqual([await unsent(), server.history], [[], []]);
});

test("what is unsent at the end stays for the next time", async () => {
  const { chat, server } = await live();
  server.failing = 503;
  const sending = chat.send({ to: "bob", text: "hi" });
  await settle();
  chat.close();
  await assert.rejects(sending, { code: "closed" });
  server.failing = null;
  const again = made().chat;
  await again.start();
  await pass(1_000);
  assert.deepEqual(
    server.history.map(({ text }) => text),
    ["hi"],
  );
});

test("new messages come in a loop, which ends with its signal and with the object", async () => {
  const { chat } = await live();
  const ending = new AbortController();
  const texts = /** @type {string[]} */ ([]);
  const read = async (/** @type {any} */ options) => {
    for await (const { text } of chat.messages(options)) texts.push(text);
    return texts.join();
  };
  const loops = [read({ signal: ending.signal }), read({})];
  latestSource().event("message", message(1), "2-b");
  latestSource().event("typing", { conversation_id: BOB, user: "bob", expires_in: 6 });
  await settle();
  ending.abort();
  assert.equal(await loops[0], "text 1,text 1");
  chat.close();
  await loops[1];
});

test("events come in a loop with their ids", async () => {
  const { chat } = await live();
  const events = chat.events();
  latestSource().event("message", message(1), "2-b");
  const { value } = await events.next();
  assert.deepEqual([value?.type, value?.id, value?.data.text], ["message", "2-b", "text 1"]);
  await events.return();
});

test("signing in and up starts; signing out forgets what is unsent, and says so", async () => {
  const server = fakeServer();
  const { chat, states } = made();
  await chat.signUp("alice", "correct horse");
  await chat.signIn("alice", "correct horse");
  server.failing = 503;
  const sending = chat.send({ to: "bob", text: "hi" });
  await settle();
  await assert.rejects(chat.signOut(), { status: 503 });
  server.failing = 401;
  await chat.signOut();
  await chat.signOut();
  await assert.rejects(sending, { code: "closed" });
  assert.deepEqual([names(states).at(-1), chat.user], ["signed_out", null]);
  assert.equal(browser.localStorage.getItem(SIGNED_IN), null);
  server.failing = null;
  await made().chat.start();
  await pass(10_000);
  assert.deepEqual(server.history, []);
});

test("while somebody else signs in nothing is sent for who was signed in: the cookie may be another one", async () => {
  const { chat, server } = await live();
  const other = made().chat;
  server.failing = 503;
  const sending = chat.send({ to: "bob", text: "from alice" });
  sending.catch(() => {});
  await settle();
  server.failing = null;
  const { fetch } = globalThis;
  const signedIn = () => browser.localStorage.getItem(SIGNED_IN);
  /** @type {ReturnType<typeof deferred<Response|null>>} the answer to a sign-in; null: there is none */
  let answer;
  mock.method(globalThis, "fetch", async (/** @type {string} */ url, /** @type {any} */ asked) => {
    if (asked.method !== "POST" || !url.endsWith("/v1/session")) return fetch(url, asked);
    const found = await answer.promise;
    if (!found) throw new TypeError("no network");
    return found;
  });
  /** @param {string} name @param {Response|null} response */
  const signIn = async (name, response) => {
    answer = deferred();
    const ended = other.signIn(name, "correct horse").catch((error) => error);
    await pass(60_000);
    const meanwhile = signedIn();
    answer.resolve(response);
    await ended;
    return [meanwhile, signedIn()];
  };
  const refused = () => Response.json({ code: "wrong_credentials" }, { status: 401 });
  assert.deepEqual(await signIn("zoe", refused()), [null, "alice"]);
  assert.deepEqual(server.history, []);
  assert.deepEqual(await signIn("ALICE", refused()), ["alice", "alice"]);
  chat.wake();
  await pass(1_000);
  assert.equal(server.history.length, 1, "alice is still signed in");
  assert.deepEqual(await signIn("zoe", Response.json({ user: "zoe", token: "" })), [null, "zoe"]);
  assert.deepEqual(await signIn("yan", null), [null, null]);
});

test("signing out forgets what is unsent, though the session turns out to have ended meanwhile", async () => {
  const { chat, server } = await live();
  server.failing = 503;
  const sending = chat.send({ to: "bob", text: "hi" });
  await settle();
  server.failing = 401;
  const signedOut = chat.signOut();
  chat.chat?.emit("unauthorized", null); // another request is refused first
  await signedOut;
  await assert.rejects(sending, { code: "closed" });
  server.failing = null;
  await made().chat.start();
  await pass(10_000);
  assert.deepEqual([server.history, chat.state.state], [[], "signed_out"]);
});

test("when the session ends, the state says so", async () => {
  const { chat, server, states } = await live();
  server.failing = 401;
  latestSource().event("bye", { reason: "signed_out" });
  latestSource().fail({ gaveUp: false });
  await pass(1_000);
  assert.deepEqual([names(states).at(-1), chat.user], ["signed_out", null]);
});

test("with too many streams the state has the reason, and the time of the next attempt when it is known", async () => {
  const { chat } = await live();
  latestSource().event("bye", { reason: "too_many" });
  assert.deepEqual(chat.state, { state: "reconnecting", retryAt: null, code: "too_many" });
  latestSource().fail({ gaveUp: true });
  assert.equal(chat.state.code, "too_many");
  assert.ok((chat.state.retryAt ?? 0) > Date.now() + 15_000);
});

test("a page wakes its stream when the network is back, and lets it go while it is put aside", async () => {
  const { chat } = await live();
  const made_before = FakeSource.made.length;
  const page = (/** @type {string} */ type, persisted = true) =>
    browser.window.dispatchEvent(Object.assign(new Event(type), { persisted }));
  page("pagehide", false);
  assert.equal(chat.state.state, "live");
  page("pagehide");
  assert.equal(chat.state.state, "closed");
  page("pageshow");
  await settle();
  assert.equal(FakeSource.made.length, made_before + 1);
  latestSource().fail({ gaveUp: false });
  await pass(1_500);
  browser.window.dispatchEvent(new Event("online"));
  browser.document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  assert.equal(FakeSource.made.length, made_before + 2);
});

test("on another origin the token of the sign-in counts, for requests and, as a ticket, for the stream", async () => {
  const asked = /** @type {any[]} */ ([]);
  mock.method(globalThis, "fetch", async (/** @type {string} */ url, /** @type {any} */ { headers, credentials }) => {
    asked.push([url, headers.Authorization, credentials]);
    if (url.endsWith("/v1/session")) return Response.json({ user: "alice", token: "t1" });
    if (url.endsWith("/v1/tickets")) return Response.json({ ticket: "once" }, { status: 201 });
    return Response.json({ conversations: [], next: null });
  });
  const { chat } = made({ url: "https://elsewhere.example" });
  assert.equal((await chat.signIn("alice", "correct horse")).token, "t1");
  await settle();
  assert.deepEqual(asked.slice(0, 2), [
    ["https://elsewhere.example/v1/session", undefined, "same-origin"],
    ["https://elsewhere.example/v1/tickets", "Bearer t1", "omit"],
  ]);
  const source = latestSource();
  assert.equal(source.url, "https://elsewhere.example/v1/events?ticket=once");
  assert.deepEqual(source.options, { withCredentials: false });
  await chat.signOut();
  assert.equal(chat.client.http.token, null);
});

test("a program gives the id of its last event, and gets what came since", async () => {
  fakeServer();
  const { chat } = made({ cursor: "7-x" });
  await chat.start();
  await settle();
  assert.deepEqual([latestSource().url, chat.cursor], ["/v1/events?last_event_id=7-x", "7-x"]);
});

test("a program needs nothing of a browser but fetch", async () => {
  fakeServer([message(1)]);
  for (const name of ["window", "document", "navigator", "localStorage", "indexedDB", "location", "EventSource"]) {
    Object.defineProperty(globalThis, name, { value: undefined, configurable: true });
  }
  const { chat, states } = made({ token: "t1" });
  await chat.start();
  await pass(1_500);
  assert.deepEqual([chat.user, chat.unread, chat.direct("Bob")], ["alice", 1, BOB]);
  assert.equal((await chat.send({ to: "bob", text: "hi" })).text, "hi");
  assert.deepEqual(names(states).slice(0, 1), ["connecting"]);
});

test("what cannot be answered ends the start: it is no outage", async () => {
  fakeServer().failing = 404;
  const { chat, states } = made();
  await assert.rejects(chat.start(), { status: 404 });
  assert.deepEqual(states.at(-1), { state: "closed", retryAt: null, code: "unknown" });
});

test("an error has the server's code", () => {
  assert.equal(new RequestError(404, { code: "unknown_user" }).code, "unknown_user");
});
