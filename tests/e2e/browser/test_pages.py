"""The page's loading of history, with a server whose pages are shorter than what was asked for."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.api import Person
from e2e.browser.visitor import Enter, Visitor, fresh
from serving import Server

LOADED = """async ([todo, count, pageSize, large]) => {
  const { Sync } = await import("/web/sync.js");
  const { Store } = await import("/web/store.js");
  const { Thread } = await import("/web/thread.js");
  const id = "dm:alice:bob";
  const message = (seq) => ({ seq, version: seq, conversation_id: id, text: "x" });
  const every = Array.from({ length: count }, (_, i) => message(i + 1));
  let requests = 0;
  const client = {
    async messages(_, { before, after, limit }) {
      requests++;
      const size = Math.min(limit, pageSize);
      const found = every.filter(({ seq }) => (before ? seq < before : seq > (after ?? 0)));
      const messages = after !== undefined ? found.slice(0, size) : found.slice(-size);
      return { messages, has_more: found.length > messages.length };
    },
  };
  const store = new Store("alice");
  const sync = new Sync(client, store, () => true);
  const thread = () => store.ensure(id).thread;
  if (todo === "unread") await sync.openThread(id, large);
  if (todo === "older") {
    await sync.openThread(id);
    while (thread().hasOlder) await sync.older(id);
  }
  if (todo === "hole") {
    thread().applyNewest(every.slice(0, 3), false);
    store.applyMessage(every.at(-1));
    await sync.fill(id);
  }
  if (todo === "reload") {
    thread().applyNewest(every.slice(-large), true);
    await sync.reloadThread(id);
  }
  return { seqs: thread().messages.map(({ seq }) => seq), older: thread().hasOlder, requests };
}"""


@pytest.fixture
def page(browser: Browser, server: Server) -> Any:
    visitor = Visitor(browser, server.url, "nobody")
    yield visitor.page
    visitor.close()


@pytest.mark.parametrize(
    ("todo", "count", "large", "first", "older"),
    [
        ("unread", 300, 20, 281, True),
        ("unread", 10, 20, 1, False),
        ("older", 300, 0, 1, False),
        ("hole", 300, 0, 1, False),
        ("reload", 300, 120, 181, True),
        ("reload", 300, 300, 1, False),
    ],
)
def test_short_pages_of_history_leave_nothing_out(
    page: Page, todo: str, count: int, large: int, first: int, older: bool
) -> None:
    found = page.evaluate(LOADED, [todo, count, 4, large])
    assert found["seqs"] == list(range(first, count + 1))
    assert found["older"] is older


def test_what_is_unread_is_loaded_with_few_requests_even_if_it_is_much(page: Page) -> None:
    found = page.evaluate(LOADED, ["unread", 300, 4, 150])
    assert found["requests"] == 8
    assert found["seqs"] == list(range(300 - 8 * 4 + 1, 301))


def test_all_conversations_are_listed_though_a_page_of_them_is_too_short_to_be_scrolled(
    enter: Enter, server: Server
) -> None:
    bob = enter(fresh("bob"))
    senders = [fresh("alice") for _ in range(8)]
    for name in senders:
        with Person(server, name) as sender:
            sender.say("x" * 65_000, bob.name)
    bob.page.reload()
    expect(bob.page.locator(".conversation-row")).to_have_count(8)
