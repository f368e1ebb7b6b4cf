/** Server-Sent Events out of the body of a response. */

/**
 * One event as it came. `id` is the last one that any event had; `retry` the milliseconds to wait before the next
 * connection, if the event has them.
 *
 * @typedef {{type: string, data: string, id: string, retry: number|null}} Frame
 */

/**
 * Reads events, in lines that end with LF or CRLF, until the body ends.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {(frame: Frame) => void} onEvent
 */
export async function readEvents(body, onEvent) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let id = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const texts = (rest + decoder.decode(read.value, { stream: true })).split(/\r?\n\r?\n/);
    rest = texts.pop() ?? "";
    for (const text of texts) {
      const frame = frameOf(text, id);
      id = frame.id;
      if (frame.data !== null) onEvent({ ...frame, data: frame.data });
    }
  }
}

/** @param {string} text of one event @param {string} before the id of the one before */
function frameOf(text, before) {
  let type = "message";
  let id = before;
  /** @type {number|null} */
  let retry = null;
  const data = [];
  for (const line of text.split(/\r?\n/)) {
    const [, field, value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "event") type = value;
    else if (field === "data") data.push(value);
    else if (field === "id") id = value;
    else if (field === "retry" && /^\d+$/.test(value)) retry = Number(value);
  }
  return { type, id, retry, data: data.length ? data.join("\n") : null };
}
