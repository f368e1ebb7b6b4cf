import { SseChat } from "https://chat.example.com/web/ssechat.min.js";

const token = async () => (await fetch("/token")).text(); // of your own backend
const chat = new SseChat({ url: "https://chat.example.com", token });

chat.addEventListener("state", ({ detail }) => {
  document.querySelector("#state").textContent = detail.state;
});
chat.addEventListener("message", ({ detail }) => {
  const item = document.createElement("li");
  item.textContent = `${detail.sender}: ${detail.text}`;
  document.querySelector("ol").append(item);
});

const [form] = document.forms;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  chat.send({ to: "bob", text: form.elements.text.value });
  form.reset();
});

await chat.start();
