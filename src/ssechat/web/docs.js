// The pages under /docs need no script: this adds a button to each command that copies it.

const SHOWN_MS = 1500;

/**
 * Adds the button to one block of a command.
 * @param {Element} block
 */
function addButton(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "docs-copy";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  const command = block.textContent ?? "";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it";
    }
    setTimeout(() => (button.textContent = "Copy"), SHOWN_MS);
  });
  block.append(button);
}

// Only https and localhost have a clipboard.
if (navigator.clipboard !== undefined) document.querySelectorAll(".docs-shell").forEach(addButton);
