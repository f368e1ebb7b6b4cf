// A chat with socket.io, as its documentation shows it: node server.js pubsub|streams REDIS_PORT
// With "streams" what was missed comes after a loss of the connection (connection state recovery).
import { createServer } from "node:http";
import { createAdapter as createPubSubAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [kind, redisPort] = process.argv.slice(2);
const redis = createClient({ url: `redis://127.0.0.1:${redisPort}` });
await redis.connect();
const http = createServer();
const options = { serveClient: false, transports: ["websocket"] };
if (kind === "streams") {
  options.adapter = createStreamsAdapter(redis, { maxLen: 20_000 });
  options.connectionStateRecovery = { maxDisconnectionDuration: 120_000 };
} else {
  const subscriber = redis.duplicate();
  await subscriber.connect();
  options.adapter = createPubSubAdapter(redis, subscriber);
}
const io = new Server(http, options);
io.on("connection", (socket) => {
  const user = socket.handshake.auth.user;
  socket.join(user);
  socket.on("send", (to, text, answer) => {
    const others = to === "*" ? socket.broadcast : io.to(to);
    others.emit("message", user, text);
    answer();
  });
});
http.listen(0, "127.0.0.1", () => console.log(`ready: http://127.0.0.1:${http.address().port}`));
