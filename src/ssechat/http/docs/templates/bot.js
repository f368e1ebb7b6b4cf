/** A bot that answers each message once, however often it or the server is stopped: `node bot.js`. */

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { SseChat } from "ssechat";

const BOOKMARK = "bot.bookmark"; // the id of the last event that was handled

const chat = new SseChat({
  url: process.env.SSECHAT_SERVER,
  token: process.env.SSECHAT_TOKEN,
  cursor: existsSync(BOOKMARK) ? readFileSync(BOOKMARK, "utf8") : null,
});
const { user } = await chat.start();
process.once("SIGTERM", () => chat.close());

for await (const { type, data, id } of chat.events()) {
  if (type === "message" && data.sender !== user) {
    const answer = { to: data.sender, text: `You said: ${data.text}` };
    await chat.send({ ...answer, client_msg_id: `${data.conversation_id} ${data.seq}` });
  }
  if (id) {
    writeFileSync(`${BOOKMARK}.new`, id);
    renameSync(`${BOOKMARK}.new`, BOOKMARK); // replaced as a whole: the bot may be killed at any time
  }
}
