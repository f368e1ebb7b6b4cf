import { useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { SseChat } from "ssechat";

const token = async () => (await fetch("/token")).text(); // of your own backend
const chat = new SseChat({ url: "https://chat.example.com", token });

/** What the chat says of itself, again whenever the event comes. */
function useChat(type, snapshot) {
  const subscribe = (listener) => {
    chat.addEventListener(type, listener);
    return () => chat.removeEventListener(type, listener);
  };
  return useSyncExternalStore(subscribe, snapshot);
}

function Conversation({ id }) {
  const { state } = useChat("state", () => chat.state);
  const messages = useChat("change", () => chat.history(id));
  const send = (event) => {
    event.preventDefault();
    chat.send({ conversation_id: id, text: event.target.elements.text.value });
    event.target.reset();
  };
  return (
    <>
      <p id="state">{state}</p>
      <ol>
        {messages.map(({ seq, sender, text }) => (
          <li key={seq}>
            {sender}: {text}
          </li>
        ))}
      </ol>
      <form onSubmit={send}>
        <input name="text" aria-label="Message" autoComplete="off" />
      </form>
    </>
  );
}

await chat.start();
const bob = chat.direct("bob");
chat.show(bob);
createRoot(document.querySelector("#root")).render(<Conversation id={bob} />);
