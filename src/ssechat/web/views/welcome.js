/** What stands beside the list while no conversation is open. */

import { say } from "../texts/language.js";
import { el, icon } from "./dom.js";

export function welcome() {
  return el(
    "main",
    { className: "conversation nothing" },
    icon("pencil"),
    el("p", { textContent: say("choose_conversation") }),
  );
}
