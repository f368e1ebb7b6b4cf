/** What the events of a group change in it, and what its members may do. */

/** @typedef {import("./client.js").Role} Role */
/** @typedef {import("./store.js").Conversation} Conversation */

/**
 * The data of the event `member`.
 *
 * @typedef {object} MemberEvent
 * @property {string} conversation_id
 * @property {{user: string, role: Role}[]} users who joined, left, or have another role
 * @property {string} by who did it
 * @property {number} member_count
 * @property {string} [name] the group's
 * @property {boolean} [left]
 * @property {boolean} [more] whether `users` leaves some out
 */

/**
 * The data of the event `conversation`.
 *
 * @typedef {object} Facts
 * @property {string} conversation_id
 * @property {string} name
 * @property {string} [topic]
 * @property {"all"|"from_join"} history
 * @property {boolean} [ended]
 */

/** The names that a conversation in a list has. */
const SHOWN_MEMBERS = 20;

/** All members of a group with their roles. */
export class Roster {
  /** @type {Map<string, Role>} */
  #roles;
  /** Whether it may lack a change, so that it must be loaded again. */
  stale = false;

  /** @param {{user: string, role: Role}[]} members */
  constructor(members) {
    this.#roles = new Map(members.map(({ user, role }) => [user, role]));
  }

  /** The members, by name. */
  get members() {
    const members = [...this.#roles].map(([user, role]) => ({ user, role }));
    return members.sort((a, b) => (a.user < b.user ? -1 : 1));
  }

  /** @param {string} user @returns {Role|undefined} */
  role(user) {
    return this.#roles.get(user);
  }

  /** @param {MemberEvent} event */
  apply({ users, left, more }) {
    for (const { user, role } of users) {
      if (left) this.#roles.delete(user);
      else this.#roles.set(user, role);
    }
    if (more) this.stale = true;
  }
}

/**
 * Applies an event `member` to a group.
 *
 * @param {Conversation} group
 * @param {MemberEvent} event
 * @param {string} user whose state this is
 */
export function applyMember(group, event, user) {
  const { users, by, member_count, name, left } = event;
  const own = users.find((one) => one.user === user);
  if (left && own) {
    group.left = by === user ? "left" : "removed";
    group.removedBy = by;
    delete group.role;
    delete group.roster;
    return;
  }
  const names = users.map((one) => one.user);
  const others = group.members.filter((member) => !names.includes(member));
  group.members = left ? others : [...others, ...names].sort().slice(0, SHOWN_MEMBERS);
  group.member_count = member_count;
  group.roster?.apply(event);
  if (name !== undefined) group.name = name;
  if (!own) return;
  group.role = own.role;
  delete group.left;
  delete group.removedBy;
  delete group.unavailable;
  delete group.refusal;
}

/** Applies an event `conversation` to a group. @param {Conversation} group @param {Facts} facts */
export function applyFacts(group, { name, topic, history, ended }) {
  group.name = name;
  group.history = history;
  if (topic) group.topic = topic;
  else delete group.topic;
  if (ended) group.ended = true;
}

/** Whether the user is in a conversation, as far as is known. @param {Conversation} conversation */
export function isIn({ left, unavailable }) {
  return !left && !unavailable;
}

/** Whether the user may rename a group, add people and invite them. @param {Conversation} group */
export function managesGroup({ role, ended, left }) {
  return (role === "owner" || role === "admin") && !ended && !left;
}

/**
 * Whether the user may remove a member or delete its messages: an owner anybody's, an admin those of members.
 *
 * @param {Conversation} group
 * @param {Role|undefined} role the other one's; unknown for one who has left
 */
export function moderates(group, role) {
  if (!managesGroup(group)) return false;
  return group.role === "owner" || role === "member" || role === undefined;
}
