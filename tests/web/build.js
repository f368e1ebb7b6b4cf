/**
 * Builds the library of `src/ssechat/web`, of which the server has no need:
 *
 *     node tests/web/build.js                   writes web/ssechat.min.js, all in one file; it is committed
 *     node tests/web/build.js --package FOLDER writes the npm package but for its types, which tsc makes
 *     node tests/web/build.js --print           prints that one file
 */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "..", "..");
const WEB = join(ROOT, "src", "ssechat", "web");
const MIN = join(WEB, "ssechat.min.js");

/** What only programs load, that have no EventSource. */
const FOR_PROGRAMS = "./fetch_source.js";

const README = `# ssechat

The client of [ssechat](https://pypi.org/project/ssechat/), a chat server over plain HTTP, for browsers and Node 20.

    import { SseChat } from "ssechat";

    const chat = new SseChat({ url: "https://chat.example.com", token: () => tokenOfMyBackend() });
    chat.addEventListener("message", ({ detail }) => show(detail.sender, detail.text));
    chat.addEventListener("state", ({ detail }) => console.log(detail.state));
    await chat.start();
    await chat.send({ to: "bob", text: "hi" });

\`/docs/clients\` of every server has the rest.
`;

/** The library as one file. */
async function minified() {
  const { outputFiles } = await build({
    entryPoints: [join(WEB, "ssechat.js")],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external: [FOR_PROGRAMS],
    banner: { js: "/*! ssechat, MIT licence: made by tests/web/build.js */" },
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

/** The modules of which it consists, with those that others name as types, by `import()` or as a worker. */
function modules() {
  const found = new Set(["ssechat.js"]);
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
  copyFileSync(MIN, join(folder, basename(MIN)));
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  writeFileSync(join(folder, "README.md"), README);
  const manifest = {
    name: "ssechat",
    version: version(),
    description: "The client of ssechat, a chat server over plain HTTP, for browsers and Node.",
    license: "MIT",
    type: "module",
    exports: { ".": { types: "./ssechat.d.ts", default: "./ssechat.js" }, "./ssechat.min.js": "./ssechat.min.js" },
    types: "./ssechat.d.ts",
    files: ["*.js", "*.d.ts"],
    sideEffects: false,
    engines: { node: ">=20" },
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

const [flag, target] = process.argv.slice(2);
if (flag === "--package" && target) writePackage(target);
else if (flag === "--print") process.stdout.write(await minified());
else writeFileSync(MIN, await minified());
