/** Somebody, as they call themselves, with the id that nobody else can have. */

import { avatar, el } from "./dom.js";

/** @param {import("../people.js").People} people @param {string} id */
export function personAvatar(people, id) {
  return avatar(id, { called: people.called(id), picture: people.picture(id) });
}

/**
 * The name of somebody, and below it the id: anybody can choose any name.
 *
 * @param {string} id
 * @param {string} called the chosen name; empty if there is none
 * @param {string} [more] what stands behind it
 */
export function personName(id, called, more = "") {
  return el(
    "span",
    { className: "name person" },
    el("bdi", { className: "called", textContent: `${called || id}${more}` }),
    called && el("span", { className: "handle", dir: "ltr", textContent: id }),
  );
}
