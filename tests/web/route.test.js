/** What a URL shows. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { groupOfSecret } from "../../src/ssechat/web/ids.js";
import { hashOf, routeOf, secretIn } from "../../src/ssechat/web/route.js";

test("a URL names a conversation of the user's, or nothing", () => {
  for (const [hash, id] of /** @type {[string, string|null][]} */ ([
    ["", null],
    ["#/", null],
    ["#/dm:alice:bob", "dm:alice:bob"],
    ["#/dm%3ABob%3AALICE", "dm:alice:bob"],
    ["#/dm:alice:alice", "dm:alice:alice"],
    ["#/dm:bob:carol", null],
    ["#/dm:alice:bob:carol", null],
    ["#/dm:alice", null],
    ["#/dm:alice:", null],
    ["#/g:friends", "g:friends"],
    ["#/%E0%A4%A", null],
    ["#/x", null],
  ])) {
    assert.deepEqual(routeOf(hash, "alice"), { id, details: false }, hash);
  }
});

test("the details of a group have a URL of their own", () => {
  assert.deepEqual(routeOf(hashOf("g:friends", true), "alice"), { id: "g:friends", details: true });
  assert.deepEqual(routeOf(hashOf("g:friends"), "alice"), { id: "g:friends", details: false });
  assert.deepEqual(routeOf("#/dm:alice:bob/details", "alice"), { id: "dm:alice:bob", details: false });
});

test("an invitation's secret stands in the fragment, and names its group", () => {
  assert.equal(secretIn("#join=g:friends.abc"), "g:friends.abc");
  assert.equal(secretIn("#join=g%3Afriends.abc"), "g:friends.abc");
  assert.equal(secretIn("#/g:friends"), null);
  assert.equal(groupOfSecret("g:friends.abc"), "g:friends");
  assert.equal(groupOfSecret("nonsense"), "");
});
