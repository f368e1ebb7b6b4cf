/** Requests to the server: JSON in and out, and one class of error for every failure. */

/**
 * The body of an error response (RFC 9457).
 *
 * @typedef {{code?: string, title?: string, detail?: string, fields?: {field: string, message: string}[]}} Problem
 */

/** A request that failed. `status` is 0 if there was no response. */
export class RequestError extends Error {
  /**
   * @param {number} status HTTP status, or 0
   * @param {Problem} problem
   * @param {number|null} retryAfter milliseconds to wait, as the server asked (RFC 9110 §10.2.3)
   */
  constructor(status, problem = {}, retryAfter = null) {
    super(
      problem.detail || problem.title || (status ? `The server answered ${status}.` : "The server can't be reached."),
    );
    this.name = "RequestError";
    this.status = status;
    this.code = problem.code ?? (status ? "unknown" : "unreachable");
    this.fields = problem.fields ?? [];
    this.retryAfter = retryAfter;
  }

  /** Whether a retry can succeed. */
  get temporary() {
    return [0, 408, 425, 429].includes(this.status) || this.status >= 500;
  }
}

/**
 * Returns the error of a request with its type: requests throw nothing else.
 *
 * @param {unknown} error
 */
export function requestError(error) {
  return /** @type {RequestError} */ (error);
}

/** @param {Headers} headers @returns {number|null} milliseconds */
function retryAfterOf(headers) {
  const value = headers.get("Retry-After");
  if (value === null) return null;
  const milliseconds = Number(value) * 1000 || Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : null;
}

/** Rejects when a signal is aborted. @param {AbortSignal} signal @returns {Promise<never>} */
export function aborted(signal) {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** The error of a response that is none of those that were wanted. @param {Response} response */
export async function refusalOf(response) {
  return refusal(response, await response.json().catch(() => null));
}

/** @param {Response} response @param {Problem|null|undefined} problem what it has, if that could be read */
function refusal({ status, headers }, problem) {
  return new RequestError(status, problem ?? {}, retryAfterOf(headers));
}

/** @typedef {Record<string, string|number|null|undefined>} Query */
/**
 * `cache` is `no-store` where it is not given.
 *
 * @typedef {{query?: Query, body?: object, headers?: Record<string, string>, cache?: RequestCache}} Asked
 */

/**
 * Gives a bearer token: it is called for the first one, and again when the server does not take one any more. It
 * returns null when there is none, as when somebody has signed out; what it throws is tried again later. A token of
 * another user than the one before ends what is under way, as somebody else has signed in.
 *
 * @typedef {(options: {signal: AbortSignal}) => Promise<string|null>|string|null} TokenSource
 */

/** The error where a user is needed, and nobody or somebody else is signed in. */
export function signedOut() {
  return new RequestError(401, { code: "signed_out", detail: "Nobody is signed in." });
}

/** Sends requests below one base URL, with the cookie or with a bearer token. */
export class Http {
  /** @type {TokenSource|null} */
  #source = null;
  /** @type {Promise<string>|null} */
  #renewing = null;
  /** How often all was forgotten of who is signed in: what was asked before is of another one. */
  term = 0;
  /** @type {string|null} the signed-in user's id, once it is known; a new token must be of the same one */
  user = null;

  /** @param {{base?: string, token?: string|TokenSource|null, timeout?: number}} options timeout in milliseconds */
  constructor({ base = "", token = null, timeout = 20_000 } = {}) {
    this.base = base.replace(/\/$/, "");
    /** @type {string|null} */
    this.token = null;
    if (typeof token === "function") this.#source = token;
    else this.token = token;
    this.timeout = timeout;
  }

  /** Whether requests have a bearer token, and no cookie. */
  get withToken() {
    return this.token !== null || this.#source !== null;
  }

  /** Forgets who is signed in, and a token that can be got again. What waits for one is not sent any more. */
  leave() {
    this.term += 1;
    this.#renewing = null;
    this.user = null;
    if (this.#source) this.token = null;
  }

  /**
   * The full URL of a path, with the query's null and undefined values left out.
   *
   * @param {string} path
   * @param {Query} query
   */
  url(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
    const pairs = /** @type {string[][]} */ (given); // numbers are written as strings
    return this.base + path + (pairs.length ? `?${new URLSearchParams(pairs)}` : "");
  }

  /**
   * Makes a request.
   *
   * @param {string} method
   * @param {string} path
   * @param {Asked} options
   * @returns {Promise<any>} the response's JSON, or null for 204
   * @throws {RequestError} if the response is not 2xx, or there is none
   */
  async request(method, path, options = {}) {
    return (await this.exchange(method, path, options)).body;
  }

  /**
   * Makes a request, like `request`, whose answer's headers count, too.
   *
   * @param {string} method
   * @param {string} path
   * @param {Asked} asked
   * @returns {Promise<{body: any, headers: Headers}>}
   * @throws {RequestError}
   */
  async exchange(method, path, asked = {}) {
    const term = this.term;
    const token = this.token ?? (this.#source && (await this.#renew()));
    try {
      return await this.#exchange(method, path, asked, token);
    } catch (error) {
      if (!this.#source || requestError(error).status !== 401 || term !== this.term) throw error;
      // Another request may have renewed it meanwhile.
      const renewed = this.token === token ? await this.#renew() : this.token;
      return await this.#exchange(method, path, asked, renewed);
    }
  }

  /** Gets a token; all who wait for one share it. */
  #renew() {
    if (this.#renewing) return this.#renewing;
    const renewing = this.#ask().finally(() => {
      if (this.#renewing === renewing) this.#renewing = null;
    });
    this.#renewing = renewing;
    return renewing;
  }

  async #ask() {
    const term = this.term;
    const signal = AbortSignal.timeout(this.timeout);
    /** @type {string|null} */
    let token;
    try {
      token = await Promise.race([this.#source?.({ signal }) ?? null, aborted(signal)]);
    } catch {
      throw new RequestError(0, { code: "token_unavailable", detail: "No new access token yet." });
    }
    // A request must not be sent again in the name of somebody who has signed in meanwhile.
    const known = token && this.token && this.user;
    const other = known && (await this.#exchange("GET", "/v1/session", {}, token)).body.user !== known;
    if (!token || other || term !== this.term) throw signedOut();
    this.token = token;
    return token;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Asked} asked
   * @param {string|null} token
   */
  async #exchange(method, path, { query, body, headers: more, cache = "no-store" }, token) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json", ...more };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    /** @type {any} */
    let answer;
    try {
      response = await fetch(this.url(path, query), {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        credentials: token ? "omit" : "same-origin",
        cache,
        signal: AbortSignal.timeout(this.timeout),
      });
      answer = response.status === 204 ? null : await response.json();
    } catch {
      // If the body is truncated, the outcome is unknown, as without a response.
      if (!response || response.ok) throw new RequestError(0);
    }
    if (!response.ok) throw refusal(response, answer);
    return { body: answer, headers: response.headers };
  }
}

/**
 * Returns the delay before the next attempt. It doubles from half a second to half a minute, with jitter in its upper
 * half, so that clients do not reconnect at the same moment.
 *
 * @param {number} failures attempts that have failed in a row, from 1
 * @returns {number} milliseconds
 */
export function backOff(failures) {
  const ceiling = Math.min(30_000, 500 * 2 ** Math.min(failures, 10));
  return ceiling * (0.5 + Math.random() / 2);
}
