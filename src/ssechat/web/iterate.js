/** Events as an asynchronous iteration. */

/** Events that may wait for a loop that is slow: with more, it fails, and can go on from the last id it had. */
const MOST = 10_000;

/**
 * The details of a target's events from now on.
 *
 * @template Detail
 * @param {EventTarget} target
 * @param {string} type
 * @param {object} options
 * @param {AbortSignal[]} options.signals each of which ends it
 * @param {(detail: Detail) => boolean} options.wanted
 * @returns {AsyncGenerator<Detail, void, void>}
 */
export function iterate(target, type, { signals, wanted }) {
  /** @type {Detail[]} */
  const waiting = [];
  let full = false;
  let wake = () => {};
  const listen = (/** @type {Event} */ event) => {
    const { detail } = /** @type {CustomEvent<Detail>} */ (event);
    if (!wanted(detail)) return;
    if (waiting.length < MOST) waiting.push(detail);
    else full = true;
    wake();
  };
  const end = () => {
    target.removeEventListener(type, listen);
    for (const signal of signals) signal.removeEventListener("abort", end);
    wake();
  };
  target.addEventListener(type, listen);
  for (const signal of signals) signal.addEventListener("abort", end);

  /** @returns {AsyncGenerator<Detail, void, void>} */
  async function* loop() {
    try {
      while (!signals.some(({ aborted }) => aborted)) {
        const next = waiting.shift();
        if (next !== undefined) yield next;
        else if (full) throw new RangeError(`More than ${MOST} events waited for this loop.`);
        else await new Promise((resolve) => (wake = () => resolve(undefined)));
      }
    } finally {
      end();
    }
  }
  return loop();
}

/**
 * The data of events.
 *
 * @param {AsyncGenerator<import("./stream.js").StreamEvent, void, void>} events
 */
export async function* dataOf(events) {
  for await (const { data } of events) yield data;
}
