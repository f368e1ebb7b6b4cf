/**
 * Makes files of the modules in `src/ssechat/web`: the page's script, style and workers, and the library, each in one
 * file; what few programs need of the library is in a second one. They are committed, so that who runs the server needs
 * no Node.
 *
 *     node tests/web/build.js                   writes them (web/*.min.*): after each change in web/
 *     node tests/web/build.js --check           says which of them are not made of the modules as they are
 *     node tests/web/build.js --package FOLDER writes the npm package but for its types, which tsc makes
 */

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "..", "..");
const WEB = join(ROOT, "src", "ssechat", "web");
const LIBRARY = "ssechat.min.js";
const REQUESTS = "requests.min.js";
const FEEDS = "feeds.min.js";
const MADE_BY = "ssechat, MIT licence";

/** What only programs load, that have no EventSource. */
const FOR_PROGRAMS = "./fetch_source.js";

/**
 * Names of the library that only its own modules use: in its one file they are shorter. Who shares an object with other
 * files calls it by names that are not here.
 */
const INTERNAL = [
  ["addConversations", "allowed", "applyMember", "applyNewer", "applyNewest", "applyOlder", "applyTo", "attempts"],
  ["changeMessage", "dropThread", "endings", "ensure", "hasHole", "hasNewer", "hasOlder", "high"],
  ["holds", "into", "journal", "lastly", "loadingNewer", "loadingOlder", "low", "memory", "openConversation"],
  ["openId", "pending", "persist", "probe", "putMessage", "readUpTo", "receiveChange", "receiveFacts"],
  ["receiveMember", "receiveMessage", "refreshThread", "refuse", "rejectAll", "relay", "replaceConversation"],
  ["replaceConversations", "replaceThread", "replay", "rest", "returned", "roster", "setJson", "shown", "silence"],
  ["singleUse", "sleep", "started", "sync", "thread", "threads", "touch", "unreadTotal"],
  ["activity", "apply", "create", "fill", "forget", "leave", "oneCredential", "outbox", "partner", "refusal"],
  ["remove", "removedBy", "stop", "told", "wanted", "withToken"],
].flat();

const README = `# ssechat

The client of [ssechat](https://pypi.org/project/ssechat/), a chat server over plain HTTP, for browsers and Node 20.

    import { SseChat } from "ssechat";

    const chat = new SseChat({ url: "https://chat.example.com", token: () => tokenOfMyBackend() });
    chat.addEventListener("message", ({ detail }) => show(detail.sender, detail.text));
    chat.addEventListener("state", ({ detail }) => console.log(detail.state));
    await chat.start();
    await chat.send({ to: "bob", text: "hi" });

Feeds, one to many, are read by a module of their own:

    import { Feed } from "ssechat/feeds";

    for await (const { key, data } of new Feed("https://chat.example.com/v1/feeds/prices")) show(key, data);

\`/docs/clients\` of every server has the rest.
`;

/**
 * One file of a module or style, and of all that it imports.
 *
 * @param {string} entry
 * @param {import("esbuild").BuildOptions} options
 */
async function minified(entry, options = {}) {
  const { outputFiles } = await build({
    entryPoints: [join(WEB, entry)],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external: [FOR_PROGRAMS],
    banner: { js: `/*! ${MADE_BY} */`, css: `/*! ${MADE_BY} */` },
    ...options,
    write: false,
  });
  return outputFiles?.[0]?.text ?? "";
}

/** @param {string} content @returns {string} what stands in the names under which the server serves it for ever */
function hashOf(content) {
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

/**
 * Has what is loaded when it is needed come from one file, by the name under which the server serves it for ever.
 *
 * @param {string} requests its content
 * @returns {import("esbuild").Plugin}
 */
function withRequests(requests) {
  const path = `./requests-${hashOf(requests)}.js`;
  return {
    name: "requests",
    setup({ onResolve }) {
      onResolve({ filter: /more_requests\.js$/ }, ({ kind }) =>
        kind === "dynamic-import" ? { path, external: true } : undefined,
      );
    },
  };
}

/**
 * Has the page begin the worker that is one file, too, by the name under which the server serves it for ever.
 *
 * @param {string} worker its content
 * @returns {import("esbuild").Plugin}
 */
function withWorker(worker) {
  const hash = hashOf(worker);
  return {
    name: "worker",
    setup({ onLoad }) {
      onLoad({ filter: /worker_link\.js$/ }, ({ path }) => {
        const [before, after, ...more] = readFileSync(path, "utf8").split('"./worker.js"');
        if (after === undefined || more.length) throw new Error(`${path} does not name "./worker.js" once`);
        return { contents: `${before}"./worker-${hash}.js"${after}` };
      });
    },
  };
}

/** What terser makes of it: less than esbuild alone. @param {string} code @returns {Promise<string>} */
async function smaller(code) {
  const ecma = /** @type {const} */ (2022);
  const compress = { ecma, passes: 3, hoist_funs: true, lhs_constants: false, sequences: false };
  return (await minify(code, { module: true, ecma, compress })).code ?? "";
}

/** Names of one letter, then of two. */
const LETTERS = [...Array(26).keys()].flatMap((at) => [String.fromCharCode(65 + at), String.fromCharCode(97 + at)]);
const SHORT = [...LETTERS, ...LETTERS.map((letter) => `${letter}a`)];

/**
 * The library in one file, as small as it gets: names that only its modules use are short, the most frequent ones
 * shortest, and private fields are fields like others, under names that nothing else has. No class in it is derived
 * from one with private fields.
 *
 * @param {import("esbuild").Plugin} requests
 */
async function library(requests) {
  const bundle = (/** @type {Record<string, string>} */ mangleCache) =>
    minified("ssechat.js", {
      plugins: [requests],
      mangleProps: new RegExp(`^(${INTERNAL.join("|")})$`),
      mangleCache,
    });
  const long = await bundle(Object.fromEntries(INTERNAL.map((name) => [name, name])));
  const taken = new Set(long.match(/(?<=#)\w+/g));
  const free = SHORT.filter((name) => !taken.has(name));
  const count = (/** @type {string} */ name) => long.split(name).length;
  const often = INTERNAL.toSorted((a, b) => count(b) - count(a));
  const short = await bundle(Object.fromEntries(often.map((name, at) => [name, free[at] ?? name])));
  return `${(await smaller(short)).replace(/(?<=async|get|set|static)#/g, " #").replace(/#(?=\w)/g, "")}\n`;
}

/** All that is made, by its name in `web/`. @returns {Promise<Map<string, string>>} */
async function made() {
  const requests = await minified("more_requests.js");
  const lazy = withRequests(requests);
  const worker = await minified("worker.js", { plugins: [lazy] });
  return new Map([
    [LIBRARY, await library(lazy)],
    [REQUESTS, requests],
    [FEEDS, await minified("feeds.js")],
    ["worker.min.js", worker],
    ["app.min.js", `${await smaller(await minified("app.js", { plugins: [lazy, withWorker(worker)] }))}\n`],
    ["app.min.css", await minified("app.css")],
    ["sw.min.js", await minified("service_worker.js", { format: "iife" })], // not all browsers take modules there
  ]);
}

/** The modules of which the library consists, with those that others name as types, by `import()` or as a worker. */
function modules() {
  const found = new Set(["ssechat.js", "chat.js", "feeds.js"]);
  for (const name of found) {
    const source = readFileSync(join(WEB, name), "utf8");
    for (const [, other] of source.matchAll(/"\.\/(\w+\.js)"/g)) found.add(other ?? "");
  }
  return found;
}

/** The version, as npm writes it: `1.2.0.dev0` is `1.2.0-dev.0`. */
function version() {
  const source = readFileSync(join(ROOT, "src", "ssechat", "__init__.py"), "utf8");
  const [, number = "", dev] = /__version__ = "([\d.]+?)(?:\.dev(\d+))?"/.exec(source) ?? [];
  return dev === undefined ? number : `${number}-dev.${dev}`;
}

/** @param {string} folder of the package; its types are made by tsc */
function writePackage(folder) {
  mkdirSync(folder, { recursive: true });
  for (const name of modules()) copyFileSync(join(WEB, name), join(folder, name));
  for (const name of [LIBRARY, FEEDS]) copyFileSync(join(WEB, name), join(folder, name));
  copyFileSync(join(WEB, REQUESTS), join(folder, `requests-${hashOf(readFileSync(join(WEB, REQUESTS), "utf8"))}.js`));
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  writeFileSync(join(folder, "README.md"), README);
  const manifest = {
    name: "ssechat",
    version: version(),
    description: "The client of ssechat, a chat server over plain HTTP, for browsers and Node.",
    license: "MIT",
    type: "module",
    exports: {
      ".": { types: "./ssechat.d.ts", default: "./ssechat.js" },
      "./chat": { types: "./chat.d.ts", default: "./chat.js" },
      "./feeds": { types: "./feeds.d.ts", default: "./feeds.js" },
      "./ssechat.min.js": "./ssechat.min.js",
      "./feeds.min.js": "./feeds.min.js",
    },
    types: "./ssechat.d.ts",
    files: ["*.js", "*.d.ts"],
    sideEffects: false,
    engines: { node: ">=20" },
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Says which files are to be made anew. @param {Map<string, string>} files */
function check(files) {
  for (const [name, content] of files) {
    const path = join(WEB, name);
    if (existsSync(path) && readFileSync(path, "utf8") === content) continue;
    process.stderr.write(`${name} is not made of the modules as they are: \`node tests/web/build.js\` makes it anew\n`);
    process.exitCode = 1;
  }
}

const [flag, target] = process.argv.slice(2);
if (flag === "--package" && target) writePackage(target);
else if (flag === "--check") check(await made());
else for (const [name, content] of await made()) writeFileSync(join(WEB, name), content);
