import { Feed, type FeedEvent, type Known } from "ssechat/feeds";
import { type Message, RequestError, SseChat, type State } from "ssechat";
import { Chat } from "ssechat/chat";

const chat = new SseChat({ url: "https://chat.example.com", token: async ({ signal }) => (signal.aborted ? null : "t") });
chat.addEventListener("message", ({ detail }) => console.log(detail.sender.length, detail.seq.toFixed()));
chat.addEventListener("state", ({ detail }: CustomEvent<State>) => console.log(detail.retryAt));
const sent: Message = await chat.send({ to: "bob", text: "hi" }, { signal: AbortSignal.timeout(1000) });
for await (const { text } of chat.messages()) console.log(text, sent.seq);
try {
  await chat.start();
} catch (error) {
  if (error instanceof RequestError) console.log(error.code.length, error.status);
}
chat.addEventListener("message.updated", ({ detail }) => {
  // @ts-expect-error there is no such field
  console.log(detail.colour);
});
// @ts-expect-error a message has a text
await chat.send({ to: "bob" });

const known: Known = JSON.parse("null");
const feed = new Feed(new URL("https://chat.example.com/v1/feeds/prices"), { known, signal: AbortSignal.timeout(1000) });
feed.addEventListener("event", ({ detail }) => console.log(detail.key?.length, detail.created_at));
feed.addEventListener("state", ({ detail }) => console.log(detail.code?.length));
for await (const event of feed) {
  const { id }: FeedEvent = event;
  console.log(id.length);
}
// @ts-expect-error there is no such option
new Feed("prices", { colour: "green" });

const app = new SseChat({ url: "https://chat.example.com", Chat });
console.log(app.chat?.people.name("bob").length, app.chat?.typing.who("dm:alice:bob").length);
// @ts-expect-error the class alone has no names of people
console.log(chat.chat?.people);
