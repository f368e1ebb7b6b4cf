import { SseChat } from "ssechat";
import { createApp, ref, shallowRef } from "vue/dist/vue.esm-bundler.js";

const token = async () => (await fetch("/token")).text(); // of your own backend
const chat = new SseChat({ url: "https://chat.example.com", token });

await chat.start();
const id = chat.direct("bob");
chat.show(id);

createApp({
  setup() {
    const text = ref("");
    const state = ref(chat.state.state);
    const messages = shallowRef(chat.history(id));
    chat.addEventListener("state", ({ detail }) => {
      state.value = detail.state;
    });
    chat.addEventListener("change", () => {
      messages.value = chat.history(id);
    });
    const send = () => {
      chat.send({ conversation_id: id, text: text.value });
      text.value = "";
    };
    return { text, state, messages, send };
  },
}).mount("#root");
