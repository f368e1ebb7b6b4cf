// Two people talk by a client that openapi-typescript made of the contract: `node talk.js URL`. It prints what was said.
import createClient from "openapi-fetch";
import type { components, paths } from "./contract.js"; // generated

type Message = components["schemas"]["Message"];

const url = process.argv[2] ?? "http://127.0.0.1:8000";
const password = "correct horse";

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

async function signUp(name: string) {
  const client = createClient<paths>({ baseUrl: url });
  const { data, error } = await client.POST("/v1/users", { body: { name, password } });
  if (error) throw new Error(error.detail);
  client.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${data.token}`);
      return request;
    },
  });
  return client;
}

const alice = await signUp("alice");
const bob = await signUp("bob");

const sent = await alice.POST("/v1/messages", { body: { to: "bob", text: "hi", data: { card: 7 } } });
check(sent.data !== undefined, "the message was not sent");
const message: Message = sent.data;
const path = { id: message.conversation_id, seq: message.seq };

const edited = await alice.PATCH("/v1/conversations/{id}/messages/{seq}", {
  params: { path },
  body: { text: "hello" },
});
check(edited.data?.text === "hello", "the message was not edited");

const reacted = await bob.PUT("/v1/conversations/{id}/messages/{seq}/reactions/{emoji}", {
  params: { path: { ...path, emoji: "👍" } },
});
check(reacted.data?.reactions?.[0]?.count === 1, "bob did not react");

const made = await alice.POST("/v1/conversations", { body: { name: "Lunch", members: ["bob"], history: "all" } });
check(made.data !== undefined && "role" in made.data, "no group was made");
const role: "owner" | "admin" | "member" = made.data.role;
check(role === "owner", "alice does not own her group");

for (const [who, text] of [
  [alice, "noon?"],
  [bob, "noon!"],
] as const) {
  const { error } = await who.POST("/v1/messages", { body: { conversation_id: made.data.id, text } });
  check(error === undefined, "the group got no message");
}
const history = await bob.GET("/v1/conversations/{id}/messages", {
  params: { path: { id: made.data.id }, query: { after: 0, limit: 10 } },
});
check(history.data?.has_more === false, "the history has more");

// A page's `next` goes into the next request as it is.
const first = await alice.GET("/v1/conversations", { params: { query: { limit: 1 } } });
check(first.data !== undefined && first.data.next !== null, "there is one page only");
const second = await alice.GET("/v1/conversations", { params: { query: { limit: 1, before: first.data.next } } });
const kinds = [...first.data.conversations, ...(second.data?.conversations ?? [])].map((one) =>
  one.type === "dm" ? one.members.join(" and ") : one.name,
);

// What was wrong with a request is typed: each error by its code, and its fields.
const blank = await bob.POST("/v1/messages", { body: { to: "alice", text: " " } });
check(blank.error?.code === "invalid_request", "a blank text was sent");
const fields: { field: string; message: string }[] | undefined = blank.error.fields;

const taken = await createClient<paths>({ baseUrl: url }).POST("/v1/users", { body: { name: "bob", password } });
let told = "";
switch (taken.error?.code) {
  case "name_taken":
    told = taken.error.code;
    break;
  case "quota_exceeded":
    told = taken.error["violated-policies"].join();
    break;
  default:
    told = "another error";
}

// @ts-expect-error a message goes to a user or into a conversation
const nowhere: components["schemas"]["NewMessage"] = { text: "hi" };
// @ts-expect-error there is no such role
const boss: components["schemas"]["Role"] = "boss";
void nowhere, boss;

// Events: the stream is one of bytes, and each event's data has a type.
const stream = await bob.GET("/v1/events", { params: { header: { "Last-Event-ID": "0-0" } }, parseAs: "stream" });
check(stream.data != null, "there is no stream");
let received = "";
const events: Message[] = [];
for await (const bytes of stream.data) {
  received += new TextDecoder().decode(bytes);
  if (received.includes("event: caught_up")) break;
}
for (const frame of received.split("\n\n")) {
  const lines = new Map(frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
  const event = Object.fromEntries(lines) as unknown as components["schemas"]["StreamEvent"];
  if (event.event === "message") events.push(JSON.parse(event.data) as Message);
}

console.log(
  JSON.stringify({
    history: history.data.messages.map((one) => `${one.sender}: ${one.text}`),
    conversations: kinds,
    blank: fields?.map((one) => one.field),
    taken: told,
    events: events.map((one) => one.text),
  }),
);
process.exit(0);
