/** Requests that few programs make: their methods are loaded when one of them is called. */

import { RequestError } from "./http.js";

/** @typedef {typeof import("./more_requests.js")["REQUESTS"]} More */

/** Loads what is needed by few programs, or later. */
export const load = () => import("./more_requests.js");

/**
 * The requests about one thing.
 *
 * @template {keyof More} Name
 * @param {import("./http.js").Http} http
 * @param {Name} name what they are about
 * @param {Record<string, any>} own those of them that need no loading
 * @param {() => Promise<{REQUESTS: More}>} loaded
 * @returns {InstanceType<More[Name]>}
 */
export function lazily(http, name, own = {}, loaded = load) {
  /** @type {Record<string, any>|undefined} */
  let all;
  const more = async () => {
    const { REQUESTS } = await loaded().catch(() => {
      throw new RequestError(0);
    });
    all ??= new REQUESTS[name](http);
    return all;
  };
  const get = (/** @type {object} */ _, /** @type {string} */ method) => {
    return async (/** @type {unknown[]} */ ...given) => (own[method] ? own : (all ?? (await more())))[method](...given);
  };
  return /** @type {any} */ (new Proxy(own, { get }));
}
