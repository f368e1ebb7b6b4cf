/** Who is writing: shown until it expires or the message is there, and told to others not too often. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { whoIsWriting } from "../../src/ssechat/web/format.js";
import { RequestError } from "../../src/ssechat/web/http.js";
import { Typing } from "../../src/ssechat/web/typing.js";
import { collect, fakeBrowser, pass } from "./world.js";

const BOB = "dm:alice:bob";

beforeEach(() => fakeBrowser());

/** @param {() => Promise<any>} answer */
function typing(answer = async () => ({})) {
  /** @type {string[]} */
  const told = [];
  const client = {
    sayTyping(/** @type {string} */ id) {
      told.push(id);
      return answer();
    },
  };
  const made = new Typing(/** @type {any} */ ({ conversations: client }));
  return { typing: made, told, changes: collect(made, "change") };
}

/** @param {string} user */
const writes = (user) => ({ conversation_id: BOB, user, expires_in: 15 });

test("who is writing is shown until 15 seconds after it was told last", async () => {
  const { typing: shown, changes } = typing();
  shown.receive(writes("bob"));
  await pass(14_000);
  shown.receive(writes("bob"));
  await pass(14_000);
  assert.deepEqual(shown.who(BOB), ["bob"]);
  assert.equal(changes.length, 1);
  await pass(1_500);
  assert.deepEqual([shown.who(BOB), changes.length], [[], 2]);
});

test("who has sent the message is not writing any more", () => {
  const { typing: shown, changes } = typing();
  shown.receive(writes("bob"));
  shown.receive(writes("carol"));
  shown.forget(BOB, "bob");
  shown.forget(BOB, "bob");
  shown.forget("dm:alice:dave", "dave");
  assert.deepEqual([shown.who(BOB), changes.length], [["carol"], 3]);
  shown.close();
  assert.deepEqual(shown.who(BOB), []);
});

test("the others are told at once, every ten seconds, and at once again after a message", async () => {
  const { typing: mine, told } = typing();
  for (let second = 0; second < 12; second++) {
    mine.write(BOB);
    await pass(1_000);
  }
  assert.deepEqual(told, [BOB, BOB]);
  mine.sent(BOB);
  mine.write(BOB);
  assert.equal(told.length, 3);
});

test("where there are too many members nobody is told again; after other failures they are", async () => {
  const failure = (/** @type {string} */ code) => () => Promise.reject(new RequestError(503, { code }));
  const large = typing(failure("too_many_members"));
  await large.typing.write(BOB);
  large.typing.sent(BOB);
  await pass(60_000);
  await large.typing.write(BOB);
  assert.equal(large.told.length, 1);
  const away = typing(failure("unavailable"));
  await away.typing.write(BOB);
  await pass(10_000);
  await away.typing.write(BOB);
  assert.equal(away.told.length, 2);
});

test("the line says who is writing", () => {
  assert.equal(whoIsWriting([]), "");
  assert.equal(whoIsWriting(["bob"]), "bob is writing …");
  assert.equal(whoIsWriting(["bob", "carol", "dave"]), "bob, carol and dave are writing …");
  assert.equal(whoIsWriting(["bob", "carol", "dave", "erin"]), "Several people are writing …");
});
