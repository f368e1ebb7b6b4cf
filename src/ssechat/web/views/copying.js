/** What is copied from the messages: their texts, as they were written, and nothing that stands around them. */

/** Has what is selected within an element copied as text. @param {HTMLElement} within */
export function copyTexts(within) {
  within.addEventListener("copy", (event) => {
    const text = selectedText(within);
    if (text === null || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  });
}

/** The selected parts of messages, a line each at least; null if there are none. @param {HTMLElement} within */
function selectedText(within) {
  const selection = getSelection();
  if (!selection || selection.isCollapsed) return null;
  const texts = [...within.querySelectorAll(".text")].flatMap((node) => {
    const ranges = Array.from({ length: selection.rangeCount }, (_, i) => selection.getRangeAt(i));
    const parts = ranges.filter((range) => range.intersectsNode(node)).map((range) => selectedPart(range, node));
    return parts.filter(Boolean).join("") || [];
  });
  return texts.length ? texts.join("\n") : null;
}

/** @param {Range} range @param {Element} node */
function selectedPart(range, node) {
  const part = document.createRange();
  part.selectNodeContents(node);
  if (range.compareBoundaryPoints(Range.START_TO_START, part) > 0)
    part.setStart(range.startContainer, range.startOffset);
  if (range.compareBoundaryPoints(Range.END_TO_END, part) < 0) part.setEnd(range.endContainer, range.endOffset);
  return part.cloneContents().textContent ?? "";
}
