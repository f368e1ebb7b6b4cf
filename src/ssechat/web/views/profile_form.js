/** One's own profile: what one is called, a picture, and what others may know. */

import { say } from "../texts/language.js";
import { avatar, el } from "./dom.js";
import { textField } from "./field.js";
import { complainAt, settingForm } from "./form.js";

const LONGEST_NAME = 64;

/**
 * @param {import("../chat.js").Chat} chat
 * @returns {{node: HTMLElement, closed: () => void}}
 */
export function profileForm(chat) {
  const { people, user } = chat;
  const name = textField(
    say("display_name"),
    { id: "display-name", name: "name", autocomplete: "name", maxLength: 200, placeholder: user },
    say("display_name_hint", { most: LONGEST_NAME, user }),
  );
  const picture = textField(
    say("picture"),
    {
      id: "avatar-url",
      name: "picture",
      type: "url",
      autocomplete: "off",
      maxLength: 2_048,
      spellcheck: false,
      placeholder: "https://…",
    },
    say(people.pictures ? "picture_shown" : "picture_not_shown"),
  );
  const receipts = el("input", { type: "checkbox", id: "receipts", role: "switch", checked: true });
  const face = el("div", { className: "face" });

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
    return say("saved");
  };

  const { node, button } = settingForm({
    action: say("save"),
    content: [
      el("div", { className: "with-face" }, face, name.node),
      picture.node,
      el("div", { className: "switch" }, receipts, el("label", { for: "receipts", textContent: say("let_see_read") })),
    ],
    submit: save,
    explain: (problem) => complainAt(problem, { display_name: name, avatar_url: picture }),
    onInput: preview,
  });
  const listening = new AbortController();
  people.on("change", fill, { signal: listening.signal });
  fill();
  if (people.me === null) people.refresh();
  return { node, closed: () => listening.abort() };
}
