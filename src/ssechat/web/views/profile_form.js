/** One's own profile: what one is called, a picture, and what others may know. */

import { requestError } from "../http.js";
import { avatar, el } from "./dom.js";
import { textField } from "./field.js";

const LONGEST_NAME = 64;

/**
 * @param {import("../chat.js").Chat} chat
 * @returns {{node: HTMLElement, closed: () => void}}
 */
export function profileForm(chat) {
  const { people, user } = chat;
  const name = textField(
    "Display name",
    { id: "display-name", name: "name", autocomplete: "name", maxLength: 200, placeholder: user },
    `In any script, at most ${LONGEST_NAME} characters. Others see your user name, ${user}, below it.`,
  );
  const picture = textField(
    "Picture (URL)",
    {
      id: "avatar-url",
      name: "picture",
      type: "url",
      autocomplete: "off",
      maxLength: 2_048,
      spellcheck: false,
      placeholder: "https://…",
    },
    people.pictures
      ? "Everybody who looks at it shows its host an address."
      : "Other programs may show it. This page shows the first letters of names only.",
  );
  const receipts = el("input", { type: "checkbox", id: "receipts", role: "switch", checked: true });
  const face = el("div", { className: "face" });
  const status = el("p", { className: "hint", role: "status" });
  const error = el("p", { className: "form-error", role: "alert" });
  const button = el("button", { type: "submit", className: "primary", textContent: "Save" });

  /** What the fields had when they were filled: only what differs from that is changed. */
  let filled = { name: "", picture: "", receipts: true };
  const fields = () => ({
    name: name.input.value.trim(),
    picture: picture.input.value.trim(),
    receipts: receipts.checked,
  });
  const preview = () => {
    const shown = people.pictures && /^https:\/\/./.test(fields().picture) ? fields().picture : "";
    face.replaceChildren(avatar(user, { called: fields().name, picture: shown }));
  };
  const fill = () => {
    const me = people.me;
    const now = fields();
    const next = { name: me?.display_name ?? "", picture: me?.avatar_url ?? "", receipts: me?.receipts ?? true };
    // What is being typed stays, whatever another device has changed.
    if (now.name === filled.name) name.input.value = next.name;
    if (now.picture === filled.picture) picture.input.value = next.picture;
    if (now.receipts === filled.receipts) receipts.checked = next.receipts;
    filled = next;
    button.disabled = me === null;
    preview();
  };

  const save = async () => {
    const now = fields();
    const change = {
      ...(now.name !== filled.name && { display_name: now.name || null }),
      ...(now.picture !== filled.picture && { avatar_url: now.picture || null }),
      ...(now.receipts !== filled.receipts && { receipts: now.receipts }),
    };
    if (Object.keys(change).length) await people.change(change);
    name.input.value = people.me?.display_name ?? "";
    fill();
    status.textContent = "Saved.";
  };

  const node = el(
    "form",
    {
      noValidate: true,
      oninput: () => {
        status.textContent = "";
        error.textContent = "";
        preview();
      },
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        if (button.disabled) return;
        button.disabled = true;
        error.textContent = "";
        try {
          await save();
        } catch (thrown) {
          const problem = requestError(thrown);
          const wrong = problem.fields[0];
          if (wrong?.field === "display_name") name.complain(wrong.message);
          else if (wrong?.field === "avatar_url") picture.complain(wrong.message);
          else error.textContent = problem.message;
        } finally {
          button.disabled = false;
        }
      },
    },
    el("div", { className: "with-face" }, face, name.node),
    picture.node,
    el(
      "div",
      { className: "switch" },
      receipts,
      el("label", { for: "receipts", textContent: "Let others see what you have read" }),
    ),
    error,
    el("div", { className: "buttons" }, status, button),
  );
  const listening = new AbortController();
  people.on("change", fill, { signal: listening.signal });
  fill();
  if (people.me === null) people.refresh();
  return { node, closed: () => listening.abort() };
}
