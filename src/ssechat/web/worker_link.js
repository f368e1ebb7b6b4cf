/** A tab's link to the shared worker (worker.js). */

/** Milliseconds within which the worker must have answered: else the tab does without. */
const PATIENCE = 3_000;

/** The worker holds the stream of a user as long as a tab has such a link. */
export class WorkerLink {
  /** @type {MessagePort|null} */
  #port = null;

  /** @param {{base: string, user: string|null, kinds: string}} of the stream; `kinds`: names of events, with commas */
  constructor(of) {
    /** Says when the worker waits for the stream, or has it; false: it does not come. @type {Promise<boolean>} */
    this.ready = new Promise((resolve) => {
      const none = () => resolve(false);
      setTimeout(none, PATIENCE);
      try {
        const script = new URL("./worker.js", import.meta.url);
        // A worker of an earlier version may still run, which knows fewer kinds.
        const worker = new SharedWorker(script, { type: "module", name: `ssechat:${of.kinds}` });
        worker.addEventListener("error", none);
        worker.port.onmessage = () => resolve(true);
        worker.port.postMessage(of);
        this.#port = worker.port;
      } catch {
        none(); // there is none, or not for a library of another origin
      }
    });
    globalThis.window?.addEventListener("pagehide", () => this.leave(), { once: true });
  }

  leave() {
    this.#port?.postMessage(null);
    this.#port?.close();
    this.#port = null;
  }
}
