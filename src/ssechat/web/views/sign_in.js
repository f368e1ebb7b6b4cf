/** The first thing a person sees: sign up, sign in, or paste a token. */

import { canonicalName } from "../client.js";
import { el, logo } from "./dom.js";

const MINIMUM_PASSWORD = 8;
const NAME = /^[a-z0-9_][a-z0-9_.@|+~-]{0,127}$/;

/**
 * @param {object} options
 * @param {{sign_up: boolean, sign_in: boolean}} options.server what the server offers
 * @param {string} options.note something to tell first, such as that the session has ended
 * @param {(name: string, password: string) => Promise<void>} options.signUp
 * @param {(name: string, password: string) => Promise<void>} options.signIn
 * @param {(token: string) => Promise<void>} options.useToken
 * @param {boolean} options.known whether somebody was signed in here before
 */
export class SignInView {
  #options;
  #mode;

  constructor(options) {
    this.#options = options;
    this.node = el("main", { className: "welcome" });
    this.#mode = !options.server.sign_in ? "token" : options.server.sign_up && !options.known ? "up" : "in";
    this.#render();
  }

  /** Puts the cursor where one begins to type. */
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
    const tab = (mode, label) =>
      el("button", {
        type: "button",
        textContent: label,
        "aria-pressed": String(this.#mode === mode),
        onclick: () => {
          const name = this.node.querySelector("[name=username]")?.value ?? "";
          this.#mode = mode;
          this.#render();
          this.node.querySelector("[name=username]").value = name;
          this.focus();
        },
      });
    const label = "Do you have an account?";
    return el(
      "div",
      { className: "tabs", role: "group", "aria-label": label },
      tab("up", "New here"),
      tab("in", "Sign in"),
    );
  }

  #passwordForm() {
    const up = this.#mode === "up";
    const name = this.#field("username", "Name", {
      autocomplete: "username",
      autocapitalize: "none",
      spellcheck: false,
      maxLength: 128,
      hint: up ? "Others write to you by this name. Letters, digits and _ . @ + - will do; capitals do not count." : "",
    });
    const password = this.#field("password", "Password", {
      type: "password",
      autocomplete: up ? "new-password" : "current-password",
      hint: up ? `At least ${MINIMUM_PASSWORD} characters.` : "",
      revealable: true,
    });
    return this.#form([name, password], up ? "Create account" : "Sign in", async () => {
      const user = canonicalName(name.input.value.trim());
      const secret = password.input.value;
      if (!user) return this.#complain(name, "Please give a name.");
      if (up && !NAME.test(user)) {
        return this.#complain(
          name,
          "A name has only letters, digits and _ . @ | + ~ -, and begins with a letter, digit or _.",
        );
      }
      if (!secret) return this.#complain(password, "Please give a password.");
      if (up && [...secret].length < MINIMUM_PASSWORD) {
        return this.#complain(password, `The password needs at least ${MINIMUM_PASSWORD} characters.`);
      }
      return (up ? this.#options.signUp : this.#options.signIn)(user, secret);
    });
  }

  #tokenForm() {
    const token = this.#field("token", "Access token", {
      autocomplete: "off",
      spellcheck: false,
      type: "password",
      hint: "This server takes the tokens of another system. Paste yours; this tab forgets it when it is closed.",
      revealable: true,
    });
    return this.#form([token], "Continue", async () => {
      const value = token.input.value.trim().replace(/^Bearer\s+/i, "");
      if (!value) return this.#complain(token, "Please paste a token.");
      return this.#options.useToken(value);
    });
  }

  #field(name, label, { hint, revealable, ...properties }) {
    const described = [`${name}-error`, hint && `${name}-hint`].filter(Boolean).join(" ");
    const input = el("input", { id: name, name, type: "text", ...properties, "aria-describedby": described });
    const error = el("p", { id: `${name}-error`, className: "field-error", role: "alert" });
    const reveal =
      revealable &&
      el("button", {
        type: "button",
        className: "reveal",
        textContent: "Show",
        "aria-pressed": "false",
        "aria-label": `Show ${label.toLowerCase()}`,
        onclick: () => {
          const shown = input.type === "password";
          input.type = shown ? "text" : "password";
          reveal.textContent = shown ? "Hide" : "Show";
          reveal.setAttribute("aria-pressed", String(shown));
          input.focus();
        },
      });
    input.addEventListener("input", () => {
      error.textContent = "";
      input.removeAttribute("aria-invalid");
    });
    const node = el(
      "div",
      { className: "field" },
      el("label", { for: name, textContent: label }),
      el("div", { className: "input" }, input, reveal),
      error,
      hint && el("p", { id: `${name}-hint`, className: "hint", textContent: hint }),
    );
    return { node, input, error };
  }

  #form(fields, action, submit) {
    const button = el("button", { type: "submit", className: "primary", textContent: action });
    const error = el("p", { className: "form-error", role: "alert" });
    return el(
      "form",
      {
        noValidate: true,
        onsubmit: async (event) => {
          event.preventDefault();
          if (button.disabled) return;
          error.textContent = "";
          button.disabled = true;
          button.textContent = "One moment…";
          try {
            await submit();
          } catch (problem) {
            this.#explain(problem, fields, error);
          } finally {
            button.disabled = false;
            button.textContent = action;
          }
        },
      },
      ...fields.map((field) => field.node),
      error,
      button,
    );
  }

  #complain(field, text) {
    field.error.textContent = text;
    field.input.setAttribute("aria-invalid", "true");
    field.input.focus();
  }

  #explain(problem, fields, error) {
    const names = { name: "username" };
    const faults = (problem.fields ?? []).map((fault) => ({
      field: fields.find(({ input }) => input.name === (names[fault.field] ?? fault.field)),
      message: fault.message,
    }));
    if (faults.length && faults.every(({ field }) => field)) {
      for (const { field, message } of faults.reverse()) this.#complain(field, message);
    } else if (problem.code === "name_taken") {
      this.#complain(fields[0], problem.message);
    } else {
      const passing = problem.status === 0 || problem.code === "unavailable";
      error.textContent = passing ? `${problem.message} Please try again in a moment.` : problem.message;
      if (problem.status === 401) fields.at(-1).input.select();
    }
  }
}
