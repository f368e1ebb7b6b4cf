/** Events with typed details. */

/**
 * An EventTarget of CustomEvents. `Details` has the type of the detail of each event, by the event's name.
 *
 * @template {Record<string, any>} Details
 */
export class Emitter extends EventTarget {
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
   * Listens to an event, as any EventTarget does.
   *
   * @override
   * @template {keyof Details & string} Type
   * @param {Type} type
   * @param {((event: CustomEvent<Details[Type]>) => void)|EventListenerObject|null} listener
   * @param {AddEventListenerOptions|boolean} [options]
   */
  addEventListener(type, listener, options) {
    super.addEventListener(type, /** @type {EventListener|EventListenerObject|null} */ (listener), options);
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
