/** Events whose details have types. */

/**
 * An EventTarget of CustomEvents. Its events, by name, and what each carries as its detail:
 *
 * @template {Record<string, any>} Details
 */
export class Emitter extends EventTarget {
  /**
   * Listens to an event: as addEventListener, with the detail alone.
   *
   * @template {keyof Details & string} Type
   * @param {Type} type
   * @param {(detail: Details[Type]) => void} listener
   * @param {AddEventListenerOptions} [options]
   */
  on(type, listener, options) {
    this.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail), options);
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
