/** Requests to the server: JSON in and out, every failure as one kind of error. */

/** What the server says to programs, in a person's words, by its code. */
const IN_WORDS = { unavailable: "The server has trouble with its storage just now." };

/** A request that was not met. `status` is 0 when there was no answer at all. */
export class RequestError extends Error {
  /**
   * @param {number} status HTTP status, or 0
   * @param {{code?: string, title?: string, detail?: string, fields?: {field: string, message: string}[]}} problem
   *   the answer's body (RFC 9457)
   * @param {number|null} retryAfter milliseconds to wait, as the server asked (RFC 9110 §10.2.3)
   */
  constructor(status, problem = {}, retryAfter = null) {
    const words = IN_WORDS[problem.code] || problem.detail || problem.title;
    super(words || (status ? `The server answered ${status}.` : "The server can't be reached."));
    this.name = "RequestError";
    this.status = status;
    this.code = problem.code ?? (status ? "unknown" : "unreachable");
    this.fields = problem.fields ?? [];
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may well succeed later. */
  get temporary() {
    return [0, 408, 425, 429].includes(this.status) || this.status >= 500;
  }
}

function retryAfter(headers) {
  const value = headers.get("Retry-After");
  if (value === null) return null;
  const milliseconds = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : null;
}

async function problemOf(response) {
  try {
    const body = await response.json();
    return body && typeof body === "object" ? body : {};
  } catch {
    return {};
  }
}

/** Sends requests below one base URL, with the cookie or with a bearer token. */
export class Http {
  /** @param {{base?: string, token?: string|null, timeout?: number}} options timeout in milliseconds */
  constructor({ base = "", token = null, timeout = 20_000 } = {}) {
    this.base = base.replace(/\/$/, "");
    this.token = token;
    this.timeout = timeout;
  }

  /** The full URL of a path, with the query's null and undefined values left out. */
  url(path, query = {}) {
    const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
    return this.base + path + (pairs.length ? `?${new URLSearchParams(pairs)}` : "");
  }

  /**
   * Makes a request and returns the answer's JSON, or null for 204.
   *
   * @param {string} method
   * @param {string} path
   * @param {{query?: object, body?: object}} options
   * @throws {RequestError} on any answer that is not 2xx, and on none
   */
  async request(method, path, { query, body } = {}) {
    const headers = { Accept: "application/json" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(this.url(path, query), {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: this.token ? "omit" : "same-origin",
        cache: "no-store",
        signal: AbortSignal.timeout(this.timeout),
      });
    } catch {
      throw new RequestError(0);
    }
    if (!response.ok) throw new RequestError(response.status, await problemOf(response), retryAfter(response.headers));
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch {
      throw new RequestError(0); // cut off in the middle: the outcome is as unknown as with no answer
    }
  }
}

/**
 * How long to wait before attempt `failures + 1`: doubles from half a second to half a minute, and is random
 * in its upper half, so that many clients do not come back at the same moment.
 *
 * @param {number} failures how many attempts have failed in a row, from 1
 * @returns {number} milliseconds
 */
export function backOff(failures) {
  const ceiling = Math.min(30_000, 500 * 2 ** Math.min(failures, 10));
  return ceiling * (0.5 + Math.random() / 2);
}
