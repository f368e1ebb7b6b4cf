/** The height of the page where a phone's keyboard covers a part of it. */

/** Keeps the page as high as what is left. On iOS the keyboard covers it: only the visual viewport knows. */
export function followKeyboard() {
  const viewport = window.visualViewport;
  viewport?.addEventListener("resize", () => {
    document.documentElement.style.setProperty("--height", viewport.scale === 1 ? `${viewport.height}px` : "100dvh");
    if (viewport.scale === 1) window.scrollTo(0, 0);
  });
}
