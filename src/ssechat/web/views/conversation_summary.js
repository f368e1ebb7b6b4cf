/** What the page says of a conversation as a whole: its title, whose face it has, and its row in the list. */

import { isTombstone } from "../conversation.js";
import { shortTime } from "../format.js";
import { shownText } from "../markdown.js";
import { isIn } from "../membership.js";
import { say } from "../texts/language.js";

/** @typedef {import("../chat.js").Chat} Chat */
/** @typedef {import("../conversation.js").Conversation} Conversation */

/** Whether it is the user's own notes. @param {Chat} chat @param {Conversation} conversation */
export function isNotes({ store, user }, conversation) {
  return store.partner(conversation) === user;
}

/** @param {Chat} chat @param {Conversation} conversation */
export function titleOf(chat, conversation) {
  return isNotes(chat, conversation) ? say("notes") : nameOf(chat.store, conversation);
}

/**
 * The name of a group, or of the other person.
 *
 * @param {Chat["store"]} store
 * @param {Conversation} conversation
 */
export function nameOf(store, conversation) {
  const { type, name } = conversation;
  return type === "group" && !name ? say("group") : store.title(conversation);
}

/**
 * The name and the picture that the other person has chosen; empty where there is none.
 *
 * @param {Chat} chat
 * @param {Conversation} conversation
 */
export function faceOf({ store, people }, conversation) {
  const other = store.other(conversation);
  return other === null
    ? { called: "", picture: "" }
    : { called: people.called(other), picture: people.picture(other) };
}

/**
 * What a row of the list shows.
 *
 * @param {Chat} chat
 * @param {Chat["list"][number]} listed
 * @param {string|null} selected the conversation that is shown
 * @returns {import("./conversation_row.js").Row}
 */
export function rowOf(chat, { conversation, pending, time }, selected) {
  const last = conversation.last_message;
  const text = pending
    ? pending.text
    : !last
      ? say("no_messages")
      : isTombstone(last)
        ? say("message_deleted")
        : last.text;
  const other = chat.store.other(conversation);
  return {
    id: conversation.id,
    title: titleOf(chat, conversation),
    ...faceOf(chat, conversation),
    note: isNotes(chat, conversation),
    people: conversation.type === "group" && isIn(conversation) ? (conversation.member_count ?? 0) : 0,
    text: shownText(text.slice(0, 200)).replace(/\s+/g, " "),
    prefix: prefixOf(chat, conversation, pending),
    failed: pending?.state === "failed",
    when: time ? shortTime(new Date(time)) : "",
    time,
    unread: chat.unread(conversation),
    mentioned: chat.mentioned(conversation),
    muted: conversation.muted,
    blocked: conversation.blocked ?? false,
    online: other !== null && chat.presence.of(other)?.online === true,
    selected: conversation.id === selected,
  };
}

/**
 * Returns the text before the last message.
 *
 * @param {Chat} chat
 * @param {Conversation} conversation
 * @param {import("../outbox.js").Entry|null} pending
 */
function prefixOf(chat, conversation, pending) {
  const last = conversation.last_message;
  if (pending?.state === "failed") return say("not_sent_prefix");
  if (isNotes(chat, conversation) || (!pending && last && isTombstone(last))) return "";
  if (pending || last?.sender === chat.user) return say("you_prefix");
  return last?.sender && conversation.type !== "dm" ? `${chat.people.name(last.sender)}: ` : "";
}
