/** The words of the page, in each of its languages. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import { markOf } from "../../src/ssechat/web/delivery_mark.js";
import { clock, dayName, seenAgo, shortTime, whoIsWriting } from "../../src/ssechat/web/format.js";
import { RequestError } from "../../src/ssechat/web/http.js";
import { storage } from "../../src/ssechat/web/storage.js";
import { DE } from "../../src/ssechat/web/texts/de.js";
import { PROBLEMS } from "../../src/ssechat/web/texts/de_problems.js";
import { EN } from "../../src/ssechat/web/texts/en.js";
import {
  LANGUAGE,
  LANGUAGES,
  Language,
  language,
  say,
  sayAround,
  sayCount,
  sayFault,
  sayList,
  sayProblem,
} from "../../src/ssechat/web/texts/language.js";
import { deviceOf } from "../../src/ssechat/web/user_agent.js";
import { fakeBrowser } from "./world.js";

beforeEach(() => {
  fakeBrowser();
});

afterEach(async () => {
  language.choose(null);
  await language.load([]);
});

const GERMAN = ["de-AT", "en"];

/** @param {unknown} text of a catalogue @returns {string[]} */
const formsOf = (text) => (typeof text === "string" ? [text] : Object.values(text ?? {}));

/** What is filled in. @param {string} text */
const holesOf = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

test("German has the texts of English, and fills the same in", () => {
  assert.deepEqual(Object.keys(DE), Object.keys(EN));
  const english = /** @type {Record<string, unknown>} */ (EN);
  for (const [key, text] of Object.entries(DE)) {
    for (const form of formsOf(text)) assert.notEqual(form.trim(), "", key);
    assert.deepEqual(holesOf(formsOf(text).join()), holesOf(formsOf(english[key]).join()), key);
  }
});

test("no view has words of its own", () => {
  const web = new URL("../../src/ssechat/web/", import.meta.url);
  const views = readdirSync(new URL("views/", web)).map((name) => `views/${name}`);
  const comments = /\/\*.*?\*\/|\/\/ [^\n]*/gs;
  const filledIn = /\$\{(?:[^{}]|\{[^{}]*\})*\}/g;
  const shown = /\b(?:textContent|title|placeholder|alt|label|aria-label"|text|action)(?::| =) ("[^"]*"|`[^`]*`)/g;
  const sentence = /(?<=[(,] ?)"\p{Lu}[^"]* [^"]*"/gu;
  const names = new Set(["ssechat", "https://…", ...Object.keys(EN)]);
  const found = [];
  assert.ok(views.length > 40);
  for (const file of ["app.js", ...views]) {
    const source = readFileSync(new URL(file, web), "utf8").replace(comments, "").replace(filledIn, "");
    for (const [all, literal = all] of [...source.matchAll(shown), ...source.matchAll(sentence)]) {
      const word = literal.slice(1, -1);
      if (/\p{L}/u.test(word) && !names.has(word)) found.push(`${file}: ${word}`);
    }
  }
  assert.deepEqual(found, []);
});

test("each text that depends on a number has the forms that its language needs", () => {
  for (const [code, texts] of Object.entries({ en: EN, de: DE })) {
    const { pluralCategories } = new Intl.PluralRules(code).resolvedOptions();
    const counted = Object.values(texts).filter((text) => typeof text !== "string");
    assert.ok(counted.length > 5);
    for (const forms of counted) assert.deepEqual(Object.keys(forms).sort(), [...pluralCategories].sort());
  }
});

test("whatever German has words for, the server or the library can say", () => {
  const contract = readFileSync(new URL("../../src/ssechat/http/contract/problems.py", import.meta.url), "utf8");
  const codes = new Set([...contract.matchAll(/Problem\(\s*"(\w+)"/g)].map(([, code]) => code));
  for (const code of ["unreachable", "unknown", "token_unavailable"]) codes.add(code);
  const requests = readFileSync(new URL("../../src/ssechat/http/requests.py", import.meta.url), "utf8");
  for (const [, field] of requests.matchAll(/^ {4}(\w+): /gm)) codes.add(`field_${field}`);
  for (const key of Object.keys(PROBLEMS)) assert.ok(codes.has(key.replace(/_until$/, "")), key);
});

test("a server without its storage says so in a person's words, also in English", async () => {
  await language.load([]);
  const problem = { message: "Redis is away.", code: "unavailable" };
  assert.equal(language.problem(problem), "The server has trouble with its storage just now.");
  assert.equal(language.problem({ message: "No.", code: "odd" }), "No.");
});

test("the language is the first of the browser's that the page has, else English", async () => {
  assert.equal(await language.load(), true); // a browser that names none
  assert.equal(language.code, "en");
  for (const [preferred, code, locale] of /** @type {[string[], string, string][]} */ ([
    [[], "en", "en"],
    [["fr-FR"], "en", "en"],
    [["fr-FR", "de-CH", "en"], "de", "de-CH"],
    [["en-GB", "de"], "en", "en-GB"],
    [["DE"], "de", "DE"],
  ])) {
    assert.equal(await language.load(preferred), true);
    assert.deepEqual([language.code, language.locale], [code, locale]);
  }
});

test("a choice counts more than the browser, and stays on the device until it is taken back", async () => {
  language.choose("de");
  await language.load(["en-GB", "en"]);
  assert.deepEqual([language.code, language.locale, storage.get(LANGUAGE)], ["de", "de", "de"]);
  language.choose("en");
  await language.load(GERMAN);
  assert.deepEqual([language.code, language.locale, language.chosen], ["en", "en", "en"]);
  language.choose(null);
  await language.load(GERMAN);
  assert.deepEqual([language.code, language.chosen, storage.get(LANGUAGE)], ["de", null, null]);
});

test("a choice that no version of the page has made is none", async () => {
  for (const odd of ["xx", "toString", ""]) {
    storage.set(LANGUAGE, odd);
    await language.load(GERMAN);
    assert.deepEqual([language.chosen, language.code], [null, "de"]);
  }
});

test("a language that cannot be loaded changes nothing, and one that comes late neither", async () => {
  const away = new Language({ de: () => Promise.reject(new Error("offline")) });
  assert.deepEqual([await away.load(["de"]), away.code, away.texts.send], [false, "en", "Send"]);
  /** @type {(loaded: any) => void} */
  let resolve = () => {};
  const slow = new Language({
    de: () =>
      new Promise((arrived) => {
        resolve = arrived;
      }),
  });
  const loading = slow.load(GERMAN);
  slow.choose("en");
  await slow.load(GERMAN);
  resolve({ texts: DE, problems: PROBLEMS });
  assert.deepEqual([await loading, slow.code, slow.texts.send], [true, "en", "Send"]);
});

test("texts are filled in, and what is filled in is left as it is", async () => {
  assert.equal(say("send"), "Send");
  assert.equal(say("new_message_in", { user: "{group}", group: "$& {user}" }), "New message from {group} in $& {user}");
  assert.deepEqual([sayCount("members_count", 1), sayCount("members_count", 2)], ["1 member", "2 members"]);
  assert.deepEqual([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(sayList), ["", "a", "a and b", "a, b and c"]);
  await language.load(GERMAN);
  assert.deepEqual([sayCount("members_count", 1), sayCount("members_count", 0)], ["1 Mitglied", "0 Mitglieder"]);
  assert.equal(sayList(["a", "b", "c"]), "a, b und c");
});

test("elements stand where a language wants them", async () => {
  const user = /** @type {any} */ ({ name: "bob" });
  assert.deepEqual(sayAround("write_to", { user }), ["Write to ", user]);
  await language.load(GERMAN);
  assert.deepEqual(sayAround("write_to", { user }), ["An ", user, " schreiben"]);
});

test("times, marks and who writes are in the language", async () => {
  assert.equal(shortTime(new Date(2026, 0, 13), new Date(2026, 0, 15)), "Tuesday");
  await language.load(GERMAN);
  const now = new Date(2026, 0, 15, 12);
  const ago = (/** @type {number} */ minutes) => new Date(now.getTime() - minutes * 60_000);
  assert.deepEqual([dayName(now, now), shortTime(ago(24 * 60), now)], ["Heute", "Gestern"]);
  assert.equal(dayName(ago(2 * 24 * 60), now), "Dienstag");
  assert.match(dayName(ago(9 * 24 * 60), now), /^Dienstag, 6\. J[aä]n/);
  assert.equal(clock(new Date(2026, 0, 15, 14, 3)), "14:03");
  assert.deepEqual(
    [0, 1, 5, 90].map((minutes) => seenAgo(ago(minutes), now)),
    ["gerade eben", "vor 1 Minute", "vor 5 Minuten", "um 10:30"],
  );
  assert.equal(whoIsWriting(["bob", "carol"]), "bob und carol schreiben …");
  assert.equal(markOf("queued", null, false).label, "Wird gesendet …");
  assert.equal(deviceOf("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"), "Firefox auf Linux");
});

test("in English the server's own sentence says what it refuses, in German the page's, where it has one", async () => {
  const taken = new RequestError(409, { code: "name_taken", detail: "Somebody has it." });
  const odd = new RequestError(400, { code: "malformed", detail: "Not HTTP." });
  const limited = { code: "quota_exceeded", detail: "Too much; try again in 3 s." };
  assert.equal(sayProblem(taken), "Somebody has it.");
  await language.load(GERMAN);
  assert.match(sayProblem(taken), /^Diesen Namen hat schon jemand/);
  assert.equal(sayProblem(odd), "Not HTTP.");
  assert.equal(sayProblem(new RequestError(0)), "Der Server ist nicht erreichbar.");
  assert.equal(sayProblem(new RequestError(502)), "Der Server hat mit 502 geantwortet.");
  assert.match(sayProblem(new RequestError(429, limited, 2_400)), /Bitte warte 3 s\.$/);
  assert.match(sayProblem(new RequestError(429, limited)), /Bitte warte einen Moment\.$/);
  assert.equal(sayProblem(new Error("Aus der Seite.")), "Aus der Seite.");
});

test("names that the server quotes are in the German sentence; without any its own is shown", async () => {
  await language.load(GERMAN);
  const nobody = (/** @type {string} */ detail) => sayProblem(new RequestError(404, { code: "unknown_user", detail }));
  assert.equal(nobody("There is no user 'bob'."), "Hier gibt es niemanden namens bob.");
  assert.equal(nobody("There is no user 'bob' or 'carol'."), "Hier gibt es niemanden namens bob und carol.");
  assert.equal(nobody("There is no such user."), "There is no such user.");
});

test("what is wrong with a field is said by its name, or in the server's words", async () => {
  const fault = { field: "avatar_url", message: "give a URL such as …" };
  assert.equal(sayFault(fault), "give a URL such as …");
  await language.load(GERMAN);
  assert.match(sayFault(fault), /^Bitte gib eine URL an/);
  assert.match(sayFault({ field: "name.0", message: "odd" }), /^Dieser Name geht nicht/);
  assert.equal(sayFault({ field: "members", message: "odd" }), "odd");
});

test("each language is called as it calls itself", () => {
  assert.deepEqual(LANGUAGES, { en: "English", de: "Deutsch" });
});
