/** The form to sign up, to sign in, or to paste a token. */

import { canonicalName, isName } from "../ids.js";
import { say, sayFault, sayProblem } from "../texts/language.js";
import { el, logo } from "./dom.js";
import { textField } from "./field.js";
import { submission } from "./form.js";

const MINIMUM_PASSWORD = 8;

/**
 * @typedef {object} Options
 * @property {{sign_up: boolean, sign_in: boolean}} server whether sign-up and sign-in are open
 * @property {string} note a message shown above the form, such as that the session has ended
 * @property {(name: string, password: string) => Promise<void>} signUp
 * @property {(name: string, password: string) => Promise<void>} signIn
 * @property {(token: string) => Promise<void>} useToken
 * @property {boolean} known whether a user was signed in here before
 */

/** @typedef {import("./field.js").Field} Field */

export class SignInView {
  #options;
  /** @type {"token"|"up"|"in"} */
  #mode;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.node = el("main", { className: "welcome" });
    this.#mode = !options.server.sign_in ? "token" : options.server.sign_up && !options.known ? "up" : "in";
    this.#render();
  }

  /** Focuses the first field. */
  focus() {
    this.node.querySelector("input")?.focus();
  }

  #render() {
    const { note, server } = this.#options;
    const tabs = server.sign_in && server.sign_up;
    this.node.replaceChildren(
      el(
        "div",
        { className: "card" },
        el("div", { className: "brand" }, logo(), el("h1", { textContent: "ssechat" })),
        note && el("p", { className: "note", role: "status", textContent: note }),
        tabs && this.#tabs(),
        this.#mode === "token" ? this.#tokenForm() : this.#passwordForm(),
      ),
    );
  }

  #tabs() {
    const tab = (/** @type {"up"|"in"} */ mode, /** @type {string} */ label) =>
      el("button", {
        type: "button",
        textContent: label,
        "aria-pressed": String(this.#mode === mode),
        onclick: () => {
          const name = this.#nameInput()?.value ?? "";
          this.#mode = mode;
          this.#render();
          const input = this.#nameInput();
          if (input) input.value = name;
          this.focus();
        },
      });
    return el(
      "div",
      { className: "tabs", role: "group", "aria-label": say("have_account") },
      tab("up", say("new_here")),
      tab("in", say("sign_in")),
    );
  }

  /** @returns {HTMLInputElement|null} */
  #nameInput() {
    return this.node.querySelector("[name=username]");
  }

  #passwordForm() {
    const up = this.#mode === "up";
    const name = this.#field("username", say("name"), {
      autocomplete: "username",
      autocapitalize: "none",
      spellcheck: false,
      maxLength: 128,
      hint: up ? say("name_hint") : "",
    });
    const password = this.#field("password", say("password"), {
      type: "password",
      autocomplete: up ? "new-password" : "current-password",
      hint: up ? say("password_hint", { least: MINIMUM_PASSWORD }) : "",
      reveal: "show_password",
    });
    return this.#form([name, password], say(up ? "create_account" : "sign_in"), async () => {
      const user = canonicalName(name.input.value.trim());
      const secret = password.input.value;
      if (!user) return name.complain(say("name_missing"));
      if (up && !isName(user)) {
        return name.complain(say("new_name_wrong"));
      }
      if (!secret) return password.complain(say("password_missing"));
      if (up && [...secret].length < MINIMUM_PASSWORD) {
        return password.complain(say("password_short", { least: MINIMUM_PASSWORD }));
      }
      return (up ? this.#options.signUp : this.#options.signIn)(user, secret);
    });
  }

  #tokenForm() {
    const token = this.#field("token", say("access_token"), {
      autocomplete: "off",
      spellcheck: false,
      type: "password",
      hint: say("token_hint"),
      reveal: "show_token",
    });
    return this.#form([token], say("continue"), async () => {
      const value = token.input.value.trim().replace(/^Bearer\s+/i, "");
      if (!value) return token.complain(say("token_missing"));
      return this.#options.useToken(value);
    });
  }

  /**
   * @param {string} name
   * @param {string} label
   * @param {{hint: string, reveal?: "show_password"|"show_token", [property: string]: unknown}} options properties of
   *   the input, and `reveal` if a button with that label shows what is typed
   * @returns {Field}
   */
  #field(name, label, { hint, reveal, ...properties }) {
    const beside = (/** @type {HTMLInputElement} */ input) => reveal !== undefined && revealButton(input, say(reveal));
    return textField(label, { id: name, name, ...properties }, hint, beside);
  }

  /** @param {[Field, ...Field[]]} fields @param {string} action @param {() => Promise<void>} submit */
  #form(fields, action, submit) {
    const button = el("button", { type: "submit", className: "primary", textContent: action });
    const error = el("p", { className: "form-error", role: "alert" });
    return el(
      "form",
      {
        noValidate: true,
        onsubmit: submission({
          button,
          error,
          submit: async () => {
            button.textContent = say("one_moment");
            await submit().finally(() => {
              button.textContent = action;
            });
          },
          explain: (problem) => this.#explain(problem, fields, error),
        }),
      },
      ...fields.map((field) => field.node),
      error,
      button,
    );
  }

  /**
   * Shows the reason of a refusal: at the fields that the server names, else above the button.
   *
   * @param {import("../http.js").RequestError} problem
   * @param {[Field, ...Field[]]} fields
   * @param {HTMLElement} error
   * @returns {true}
   */
  #explain(problem, fields, error) {
    const inputName = (/** @type {string} */ field) => (field === "name" ? "username" : field);
    const faults = problem.fields.flatMap((fault) => {
      const shown = fields.find(({ input }) => input.name === inputName(fault.field));
      return shown ? [{ field: shown, message: sayFault(fault) }] : [];
    });
    if (faults.length && faults.length === problem.fields.length) {
      for (const { field, message } of faults.reverse()) field.complain(message);
    } else if (problem.code === "name_taken") {
      fields[0].complain(sayProblem(problem));
    } else {
      const passing = problem.status === 0 || problem.code === "unavailable";
      const text = sayProblem(problem);
      error.textContent = passing ? say("again_in_a_moment", { problem: text }) : text;
      if (problem.status === 401) fields.at(-1)?.input.select();
    }
    return true;
  }
}

/** A button that shows what is typed into a password field. @param {HTMLInputElement} input @param {string} label */
function revealButton(input, label) {
  const button = el("button", {
    type: "button",
    className: "reveal",
    textContent: say("show"),
    "aria-label": label,
    onclick: () => {
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      button.textContent = say(shown ? "hide" : "show");
      button.setAttribute("aria-label", shown ? button.textContent : label); // which has the word that is seen
      input.focus();
    },
  });
  return button;
}
