/** Events with typed details. */

/**
 * An EventTarget of CustomEvents. `Details` has the type of the detail of each event, by the event's name.
 *
 * @template {Record<string, any>} Details
 */
export class Emitter extends EventTarget {
  /** What ends with a signal here. @type {WeakMap<AbortSignal, (() => void)[]>} */
  endings = new WeakMap();

  /**
   * Listens to an event, like addEventListener; the listener gets the detail.
   *
   * @template {keyof Details & string} Type
   * @param {Type} type
   * @param {(detail: Details[Type]) => void} listener
   * @param {AddEventListenerOptions} [options]
   */
  on(type, listener, options) {
    this.addEventListener(type, ({ detail }) => listener(detail), options);
  }

  /**
   * Listens to an event, as any EventTarget does. Removing a signal's listeners is done here, as Node holds only the
   * last one of a target strongly: the others go on after it if the garbage collector has run (seen in Node 20). The
   * signal gets one listener for all of them, as Node warns of more than ten.
   *
   * @override
   * @template {keyof Details & string} Type
   * @param {Type} type
   * @param {((event: CustomEvent<Details[Type]>) => void)|EventListenerObject|null} listener
   * @param {AddEventListenerOptions|boolean} [options]
   */
  addEventListener(type, listener, options) {
    const { signal, ...others } = typeof options === "object" ? options : { capture: options ?? false };
    if (signal?.aborted) return;
    super.addEventListener(type, /** @type {EventListener} */ (listener), others);
    if (!signal) return;
    const endings = this.endings.get(signal) ?? [];
    if (!endings.length) signal.addEventListener("abort", () => endings.map((end) => end()));
    endings.push(() => this.removeEventListener(type, /** @type {EventListener} */ (listener), others));
    this.endings.set(signal, endings);
  }

  /**
   * Dispatches events of another emitter as its own, as long as they are wanted.
   *
   * @template {keyof Details & string} Type
   * @param {Emitter<Pick<Details, Type>>} other
   * @param {Type[]} types
   * @param {AbortSignal} [signal]
   */
  relay(other, types, signal) {
    const options = /** @type {AddEventListenerOptions} */ ({ signal });
    for (const type of types) other.on(type, (detail) => this.emit(type, detail), options);
  }

  /**
   * Dispatches an event.
   *
   * @template {keyof Details & string} Type
   * @param {Type} type
   * @param {Details[Type]} detail
   */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
