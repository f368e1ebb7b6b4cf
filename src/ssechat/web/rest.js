/** The server's HTTP interface as methods. */

import { AccountRest } from "./account_rest.js";
import { BlockRequests } from "./block_requests.js";
import { newMessageId } from "./ids.js";
import { PresenceRequests } from "./presence_requests.js";

/** @typedef {import("./client.js").Message} Message */
/** @typedef {import("./client.js").Group} Group */
/** @typedef {import("./client.js").Role} Role */
/** @typedef {import("./client.js").Invite} Invite */

/**
 * Every method throws a RequestError if the server refuses, or does not answer: `message` says why, `code` is the
 * server's name for it. What changes something can be repeated: it is done once.
 */
export class Rest extends AccountRest {
  /** Whom the user blocks. */
  blocks = new BlockRequests(this.http);

  /** Who is there. */
  presence = new PresenceRequests(this.http);

  /**
   * A page of conversations, most recent first.
   *
   * @param {{before?: string|undefined, limit?: number|undefined}} options
   * @returns {Promise<{conversations: import("./store.js").Listed[], next: string|null}>} `next` is the `before` of the
   *   page after it
   */
  conversations({ before, limit } = {}) {
    return this.http.request("GET", "/v1/conversations", { query: { before, limit } });
  }

  /** One conversation, as the list has it; of one that the user has left: as it was then. @param {string} id */
  conversation(id) {
    return this.http.request("GET", conversationPath(id));
  }

  /**
   * A page of a conversation's messages, ascending by seq: the newest, those before or after a seq (exclusive), or
   * those around one.
   *
   * @param {string} conversationId
   * @param {{before?: number|null|undefined, after?: number|undefined, around?: number|undefined,
   *   limit?: number|undefined}} options
   * @returns {Promise<{messages: Message[], has_more: boolean, has_more_before?: boolean, has_more_after?: boolean}>}
   */
  messages(conversationId, { before, after, around, limit } = {}) {
    const path = conversationPath(conversationId, "messages");
    return this.http.request("GET", path, { query: { before, after, around, limit } });
  }

  /**
   * Sends a message to a user (`to`) or to a conversation (`conversation_id`). A retry with the same
   * `client_msg_id` is idempotent: the message is sent once. `reply_to` is the seq of the message that it answers,
   * `mentions` are members, `data` is an object of the application's own.
   *
   * @param {{to?: string|undefined, conversation_id?: string, text: string, client_msg_id?: string,
   *   reply_to?: number|undefined, mentions?: string[]|undefined, data?: object|undefined}} message
   * @returns {Promise<Message>}
   */
  send({ to, conversation_id, client_msg_id = newMessageId(), ...content }) {
    const body = { ...(to === undefined ? { conversation_id } : { to }), ...content, client_msg_id };
    return this.http.request("POST", "/v1/messages", { body });
  }

  /**
   * One message as it stands, with its entity tag, which `editMessage` and `deleteMessage` take.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @returns {Promise<{message: Message, etag: string|null}>}
   */
  async message(conversationId, seq) {
    const { body, headers } = await this.http.exchange("GET", messagePath(conversationId, seq));
    return { message: body, etag: headers.get("ETag") };
  }

  /**
   * Changes a message of one's own; what is left out stays. `data: null` takes the data away.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {{text?: string, mentions?: string[], data?: object|null}} change
   * @param {{ifMatch?: string}} options the entity tag of what is changed: 412 if it has changed meanwhile
   * @returns {Promise<Message>} the message as it stands
   */
  editMessage(conversationId, seq, change, { ifMatch } = {}) {
    return this.http.request("PATCH", messagePath(conversationId, seq), { body: change, ifMatch });
  }

  /**
   * Deletes a message: one's own, or in a group as its owner or admin.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {{ifMatch?: string}} options as for `editMessage`
   * @returns {Promise<Message>} its tombstone
   */
  deleteMessage(conversationId, seq, { ifMatch } = {}) {
    return this.http.request("DELETE", messagePath(conversationId, seq), { ifMatch });
  }

  /**
   * Reacts to a message.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {string} emoji
   * @returns {Promise<Message>} the message as it stands
   */
  react(conversationId, seq, emoji) {
    return this.http.request("PUT", messagePath(conversationId, seq, "reactions", emoji), { body: {} });
  }

  /**
   * Takes a reaction back.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {string} emoji
   * @returns {Promise<Message>} the message as it stands
   */
  unreact(conversationId, seq, emoji) {
    return this.http.request("DELETE", messagePath(conversationId, seq, "reactions", emoji));
  }

  /**
   * A page of the reactions to a message, of all users or of one.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @param {{limit?: number, after?: string|null, user?: string}} options
   * @returns {Promise<{reactions: {emoji: string, user: string}[], next: string|null}>}
   */
  reactions(conversationId, seq, { limit, after, user } = {}) {
    return this.http.request("GET", messagePath(conversationId, seq, "reactions"), { query: { limit, after, user } });
  }

  /**
   * Makes a group, whose owner is the user. With `history: "from_join"` who joins later reads only what is written from
   * then on. A retry with the same `client_msg_id` is idempotent.
   *
   * @param {{name: string, members?: string[], topic?: string|undefined, history?: "all"|"from_join",
   *   client_msg_id?: string}} group
   * @returns {Promise<Group>}
   */
  createGroup({ members = [], client_msg_id = newMessageId(), ...group }) {
    const body = { ...group, members, client_msg_id };
    return this.http.request("POST", "/v1/conversations", { body });
  }

  /** Tells the others in a conversation that the user is writing. @param {string} id @returns {Promise<object>} */
  sayTyping(id) {
    return this.http.request("POST", conversationPath(id, "typing"), { body: {} });
  }

  /**
   * Marks messages as read, up to a seq.
   *
   * @param {string} id
   * @param {number} up_to
   * @returns {Promise<import("./marks.js").Mark & {unread: number, mentions: number[]}>}
   */
  markRead(id, up_to) {
    return this.http.request("PUT", conversationPath(id, "read"), { body: { up_to } });
  }

  /**
   * Says that this device has an event, and all before it.
   *
   * @param {string} id
   * @returns {Promise<null>}
   */
  ack(id) {
    return this.http.request("POST", "/v1/ack", { body: { id } });
  }

  /**
   * Mutes a conversation, or unmutes it.
   *
   * @param {string} id
   * @param {boolean} muted
   * @returns {Promise<import("./marks.js").Mark & {unread: number, mentions: number[]}>}
   */
  mute(id, muted) {
    return this.http.request("PUT", conversationPath(id, "mute"), { body: { muted } });
  }

  /** Renames a group, or sets its topic. @param {string} id @param {{name?: string, topic?: string}} change */
  changeGroup(id, change) {
    return this.http.request("PATCH", conversationPath(id), { body: change });
  }

  /** Ends a group for all its members. @param {string} id @returns {Promise<null>} */
  endGroup(id) {
    return this.http.request("DELETE", conversationPath(id));
  }

  /**
   * A page of a group's members, by name.
   *
   * @param {string} id
   * @param {{limit?: number, after?: string|null}} options
   * @returns {Promise<{members: {user: string, role: Role}[], next: string|null}>}
   */
  members(id, { limit, after } = {}) {
    return this.http.request("GET", conversationPath(id, "members"), { query: { limit, after } });
  }

  /**
   * Adds users to a group.
   *
   * @param {string} id
   * @param {string[]} users
   * @returns {Promise<{added: string[], member_count: number}>}
   */
  addMembers(id, users) {
    return this.http.request("POST", conversationPath(id, "members"), { body: { users } });
  }

  /** Sets a member's role. @param {string} id @param {string} user @param {Role} role */
  setRole(id, user, role) {
    return this.http.request("PUT", conversationPath(id, "members", user), { body: { role } });
  }

  /** Removes a member; with one's own name: leaves. @param {string} id @param {string} user @returns {Promise<null>} */
  removeMember(id, user) {
    return this.http.request("DELETE", conversationPath(id, "members", user));
  }

  /**
   * Makes an invitation. Its `secret` is told this once.
   *
   * @param {string} id of a group
   * @param {{expires_in?: number, max_uses?: number|undefined}} options seconds; no `max_uses`: any number of times
   * @returns {Promise<Invite & {secret: string}>}
   */
  createInvite(id, { expires_in, max_uses } = {}) {
    return this.http.request("POST", conversationPath(id, "invites"), { body: { expires_in, max_uses } });
  }

  /** A group's invitations. @param {string} id @returns {Promise<{invites: Invite[]}>} */
  invites(id) {
    return this.http.request("GET", conversationPath(id, "invites"));
  }

  /** Ends an invitation. @param {string} id of a group @param {string} invite its id @returns {Promise<null>} */
  revokeInvite(id, invite) {
    return this.http.request("DELETE", conversationPath(id, "invites", invite));
  }

  /** Joins the group of an invitation. @param {string} secret @returns {Promise<Group>} */
  join(secret) {
    return this.http.request("POST", "/v1/invites/join", { body: { secret } });
  }

  /** The URL of a stream, with a ticket if there is a bearer token. @param {string|null} cursor */
  async streamUrl(cursor) {
    /** @type {import("./http.js").Query} */
    const query = { last_event_id: cursor };
    if (this.withToken) {
      query.ticket = (await this.http.request("POST", "/v1/tickets", { body: {} })).ticket;
    }
    return this.http.url("/v1/events", query);
  }
}

/** @param {string} id @param {...string} below */
function conversationPath(id, ...below) {
  return ["/v1/conversations", ...[id, ...below].map(encodeURIComponent)].join("/");
}

/** @param {string} id @param {number} seq @param {...string} below */
function messagePath(id, seq, ...below) {
  return conversationPath(id, "messages", String(seq), ...below);
}
