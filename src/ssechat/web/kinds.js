/**
 * The kinds of events that the server's users cause. A new kind is an entry here, and a view if it is shown: the stream
 * subscribes to these names, and the state dispatches by them; what only an app has listens to the client itself
 * (chat.js). The events of the protocol itself (`hello`, `reset`,
 * `ping` …) are in stream.js.
 */

import { applyMark } from "./marks.js";
import { applyBlock, applyFacts } from "./membership.js";

/**
 * @typedef {object} Kind
 * @property {boolean} durable whether the server keeps the event: it has an id, is replayed after a disconnection, and
 *   is applied again on top of a REST page that was under way when it arrived
 * @property {(store: import("./store.js").Store, data: any) => boolean} [apply] changes the store and returns whether
 *   that changed anything; applied twice, a durable event changes nothing the second time
 * @property {(chat: import("./base_chat.js").BaseChat, data: any) => void} [received] handles a live event, in place
 *   of applying it to the store alone
 */

/** @typedef {ReadonlyMap<string, Kind>} Kinds */

/** A new message, as it stands now. @type {Kind} */
const message = {
  durable: true,
  apply: (store, data) => store.putMessage(data),
  received: (chat, data) => chat.receiveMessage(data),
};

/** A message that has changed, as it stands now. @type {Kind} */
const change = {
  durable: true,
  apply: (store, data) => store.changeMessage(data),
  received: (chat, data) => chat.receiveChange(data),
};

/** A group's name, topic and end. @type {Kind} */
const conversation = {
  durable: true,
  apply: (store, data) => store.applyTo(data, applyFacts),
  received: (chat, data) => chat.receiveFacts(data),
};

/** Users who joined a group, left it, or have another role. @type {Kind} */
const member = {
  durable: true,
  apply: (store, data) => store.applyMember(data),
  received: (chat, data) => chat.receiveMember(data),
};

/** What the user has read or muted, on any device. @type {Kind} */
const mark = {
  durable: true,
  apply: (store, data) => store.applyTo(data, applyMark),
};

/** The user's profile has changed, on any device. @type {Kind} */
const profile = {
  durable: true,
};

/** Whom the user blocks, said on any device. @type {Kind} */
const block = {
  durable: true,
  apply: (store, data) => store.applyTo(data, applyBlock),
};

/** Somebody else has read further, or has more of a conversation. @type {Kind} */
const receipt = {
  durable: false,
};

/** Somebody is writing. @type {Kind} */
const typing = {
  durable: false,
};

/** Somebody whom the page shows has come or gone. @type {Kind} */
const presence = {
  durable: false,
};

/** All kinds of the page, by the name of the event. @type {Kinds} */
export const KINDS = new Map([
  ["message", message],
  ["message.updated", change],
  ["message.deleted", change],
  ["conversation", conversation],
  ["member", member],
  ["mark", mark],
  ["profile", profile],
  ["block", block],
  ["receipt", receipt],
  ["typing", typing],
  ["presence", presence],
]);
