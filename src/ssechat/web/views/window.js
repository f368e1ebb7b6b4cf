/** Which of the loaded messages are in the page: those around what is seen. */

/** @typedef {import("../client.js").Message} Message */

/**
 * A range of the messages of a thread, by seq, so that it stays where it is when older ones are loaded before it. Until
 * it is moved, it is the newest, and grows with them.
 */
export class MessageWindow {
  /** The seq of the first message; 0 while that follows from the last one. */
  #first = 0;
  /** The seq of the last one. */
  #last = Number.POSITIVE_INFINITY;
  /** How many messages it begins with, and `trim` leaves. */
  most = 70;

  /** Whether it ends with the newest message, whichever that is. */
  get follows() {
    return this.#last === Number.POSITIVE_INFINITY;
  }

  /** The indices of its messages, the second one exclusive. @param {Message[]} messages ascending */
  range(messages) {
    const to = this.follows ? messages.length : indexOf(messages, this.#last + 1);
    const from = this.#first ? indexOf(messages, this.#first) : to - this.most;
    return { from: Math.max(0, Math.min(from, to)), to };
  }

  /** Whether a message is among them. @param {Message[]} messages @param {number} seq */
  has(messages, seq) {
    const { from, to } = this.range(messages);
    return from < to && seq >= seqAt(messages, from) && seq <= seqAt(messages, to - 1);
  }

  /** Goes to the nearest messages if others have been loaded in place of all of them. @param {Message[]} messages */
  stay(messages) {
    const { from, to } = this.range(messages);
    if (from === to && messages.length) this.toMessage(messages, seqAt(messages, Math.min(from, messages.length - 1)));
  }

  /** Goes to the newest messages. */
  toNewest() {
    this.#first = 0;
    this.#last = Number.POSITIVE_INFINITY;
  }

  /** Goes to a message and those around it. @param {Message[]} messages @param {number} seq */
  toMessage(messages, seq) {
    const from = Math.max(0, Math.min(indexOf(messages, seq) - Math.floor(this.most / 2), messages.length - this.most));
    this.#set(messages, from, from + this.most);
  }

  /**
   * Takes in more messages at one end.
   *
   * @param {Message[]} messages
   * @param {number} count negative for older ones
   * @returns {boolean} whether there were any
   */
  extend(messages, count) {
    const { from, to } = this.range(messages);
    const wanted = count < 0 ? { from: Math.max(0, from + count), to } : { from, to: to + count };
    wanted.to = Math.min(wanted.to, messages.length);
    if (wanted.from === from && wanted.to === to) return false;
    this.#set(messages, wanted.from, wanted.to);
    return true;
  }

  /** Gives up what is too much. @param {Message[]} messages @param {boolean} newest whether the newest of them go */
  trim(messages, newest) {
    const { from, to } = this.range(messages);
    if (to - from <= this.most) return;
    if (newest) this.#set(messages, from, from + this.most);
    else this.#set(messages, to - this.most, to);
  }

  /** @param {Message[]} messages @param {number} from @param {number} to */
  #set(messages, from, to) {
    this.#first = seqAt(messages, from);
    this.#last = to >= messages.length ? Number.POSITIVE_INFINITY : seqAt(messages, to - 1);
  }
}

/** The index of the first message that has this seq or a later one. @param {Message[]} messages @param {number} seq */
export function indexOf(messages, seq) {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (seqAt(messages, middle) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {Message[]} messages @param {number} i */
function seqAt(messages, i) {
  return /** @type {Message} */ (messages[i]).seq;
}
