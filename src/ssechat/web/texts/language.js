/** The language of the page: its words, and how it writes times. */

import { requestError } from "../http.js";
import { storage } from "../storage.js";
import { EN } from "./en.js";

/** @typedef {typeof EN} English */
/** @typedef {{[Key in keyof English]: English[Key] extends string ? Key : never}[keyof English]} TextKey */
/** @typedef {Exclude<keyof English, TextKey>} CountKey the keys of texts that depend on a number */
/** @typedef {Partial<Record<Intl.LDMLPluralRule, string>> & {other: string}} Plural */
/** @typedef {Record<TextKey, string> & Record<CountKey, Plural>} Texts */
/** @typedef {Record<string, string>} Problems what the server refuses, in words, by its codes */
/** @typedef {"en"|"de"} Code of a language that the page has */

/**
 * The names in the braces of a text.
 *
 * @template {string} Text
 * @typedef {Text extends `${string}{${infer Name}}${infer Rest}` ? Name | Holes<Rest> : never} Holes
 */

/**
 * What `say` is given beside a key: nothing, or a value for each pair of braces.
 *
 * @template {TextKey} Key
 * @template Value
 * @typedef {[Holes<English[Key]>] extends [never] ? [] : [Record<Holes<English[Key]>, Value>]} Values
 */

/**
 * The keys of texts in which nothing is filled in.
 *
 * @typedef {{[Key in TextKey]: [Holes<English[Key]>] extends [never] ? Key : never}[TextKey]} PlainKey
 */

/** The storage key of the language that was chosen on this device, whoever is signed in. */
export const LANGUAGE = "ssechat:language";

/** The languages, as they call themselves. @type {Record<Code, string>} */
export const LANGUAGES = { en: "English", de: "Deutsch" };

/** The words of a language other than English, which come along. @type {Record<string, () => Promise<Loaded>>} */
const LOADS = {
  de: async () => {
    const { DE, PROBLEMS } = await import("./de.js");
    return { texts: DE, problems: PROBLEMS };
  },
};

/** @typedef {{texts: Texts, problems: Problems}} Loaded */

/** In English the server's own sentences are shown. @type {Loaded} */
const ENGLISH = { texts: EN, problems: {} };

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const DATES = {
  time: { hour: "numeric", minute: "2-digit" },
  weekday: { weekday: "long" },
  shortDay: { day: "numeric", month: "short" },
  longDay: { weekday: "long", day: "numeric", month: "long" },
  fullDay: { day: "numeric", month: "long", year: "numeric" },
  exact: { dateStyle: "full", timeStyle: "medium" },
};

/** What the page says, in one language at a time. */
export class Language {
  /** @type {Code} */
  code = "en";
  /** As `Intl` takes it; none until one is chosen: then it is the system's. @type {string|undefined} */
  locale = undefined;
  texts = ENGLISH.texts;
  problems = ENGLISH.problems;
  /** @type {Map<string, Intl.DateTimeFormat>} */
  #dates = new Map();
  #plural = new Intl.PluralRules("en");
  #loads;

  /** @param {Record<string, () => Promise<Loaded>>} loads the words of each language but English */
  constructor(loads = LOADS) {
    this.#loads = loads;
  }

  /** The language that was chosen, or null for the browser's. @returns {Code|null} */
  get chosen() {
    const chosen = storage.get(LANGUAGE) ?? "";
    return isCode(chosen) ? chosen : null;
  }

  /** Keeps a choice for this device. It counts after `load`. @param {Code|null} code null for the browser's */
  choose(code) {
    if (code === null) storage.remove(LANGUAGE);
    else storage.set(LANGUAGE, code);
  }

  /**
   * Loads the words of the language that was chosen, else of the browser's: of the first of its languages that the page
   * has, else English.
   *
   * @param {readonly string[]} preferred the browser's languages, the best first
   * @returns {Promise<boolean>} false if they cannot be loaded: then the page stays as it is
   */
  async load(preferred = globalThis.navigator?.languages ?? []) {
    const wanted = () => this.chosen ?? preferred.map(baseOf).find(isCode) ?? "en";
    const code = wanted();
    let loaded = ENGLISH;
    try {
      loaded = (await this.#loads[code]?.()) ?? loaded;
    } catch {
      return false;
    }
    if (code !== wanted()) return true; // another one was chosen meanwhile
    this.code = code;
    this.locale = preferred.find((tag) => baseOf(tag) === code) ?? code;
    this.texts = loaded.texts;
    this.problems = loaded.problems;
    this.#dates.clear();
    this.#plural = new Intl.PluralRules(code);
    return true;
  }

  /** A text for a number. @param {CountKey} key @param {number} count */
  count(key, count) {
    const forms = /** @type {Plural} */ (this.texts[key]);
    return fill(forms[this.#plural.select(count)] ?? forms.other, { count });
  }

  /** Names as a person lists them. @param {string[]} names */
  list(names) {
    const last = names.at(-1) ?? "";
    return names.length > 1 ? fill(this.texts.list_and, { list: names.slice(0, -1).join(", "), last }) : last;
  }

  /** A time. @param {keyof typeof DATES} style @param {Date} date */
  date(style, date) {
    let format = this.#dates.get(style);
    if (!format) {
      format = new Intl.DateTimeFormat(this.locale, DATES[style]);
      this.#dates.set(style, format);
    }
    return format.format(date);
  }

  /**
   * Why something failed: what the server says, where it has no words for it in this language.
   *
   * @param {{message: string, code?: string|undefined, status?: number, retryAfter?: number|null}} problem
   */
  problem({ message, code = "", status = 0, retryAfter = null }) {
    const text = (retryAfter && this.problems[`${code}_until`]) || this.problems[code];
    const names = [...message.matchAll(/'([^']+)'/g)].map(([, name = ""]) => name);
    if (!text || (text.includes("{names}") && !names.length)) return message;
    return fill(text, { status, seconds: Math.ceil((retryAfter ?? 0) / 1000), names: this.list(names) });
  }
}

export const language = new Language();

/**
 * A text of the page, with values in place of its braces.
 *
 * @template {TextKey} Key
 * @param {Key} key
 * @param {Values<Key, string|number>} values
 * @returns {string}
 */
export function say(key, ...values) {
  const [given = {}] = /** @type {[Record<string, string|number>?]} */ (values);
  return fill(language.texts[key], given);
}

/**
 * The parts of a text in order, with elements in place of its braces.
 *
 * @template {TextKey} Key
 * @param {Key} key
 * @param {Values<Key, Node>} values
 * @returns {(Node|string)[]}
 */
export function sayAround(key, ...values) {
  const [given = {}] = /** @type {[Record<string, Node>?]} */ (values);
  const parts = language.texts[key].split(/\{(\w+)\}/);
  return parts.map((part, i) => (i % 2 ? (given[part] ?? "") : part)).filter((part) => part !== "");
}

/** A text for a number. @param {CountKey} key @param {number} count */
export function sayCount(key, count) {
  return language.count(key, count);
}

/** Names as a person lists them: `alice, bob and carol`. @param {string[]} names */
export function sayList(names) {
  return language.list(names);
}

/** Why something failed, as a sentence. @param {unknown} thrown */
export function sayProblem(thrown) {
  return language.problem(requestError(thrown));
}

/** What is wrong with a field. @param {{field: string, message: string}} fault as the server has it */
export function sayFault({ field, message }) {
  return language.problem({ message, code: `field_${field.split(".")[0]}` });
}

/** @param {string} text @param {Record<string, string|number>} values */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The language of a tag: `de` of `de-AT`. @param {string} tag */
function baseOf(tag) {
  return tag.split("-", 1)[0]?.toLowerCase() ?? "";
}

/** @param {string} code @returns {code is Code} */
function isCode(code) {
  return Object.hasOwn(LANGUAGES, code);
}
