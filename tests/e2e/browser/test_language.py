"""The page in German: on all of its screens, by the browser's languages or by choice."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from e2e.browser.groups import Curl, message
from e2e.browser.test_screens import OUTSIDE, WINDOWS
from e2e.browser.visitor import PASSWORD, PATIENCE, Enter, Visitor, banner, fresh, row, shows, until
from serving import Server

GERMAN = {"locale": "de-DE"}
NEXT_FRAME = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
SMALLEST: ViewportSize = WINDOWS["small"]["viewport"]
DIFFERING = """async () => {
    const [{ EN }, { DE }] = await Promise.all([import("/web/texts/en.js"), import("/web/texts/de.js")]);
    const forms = (texts) =>
        Object.values(texts).flatMap((text) => (typeof text === "string" ? text : Object.values(text)));
    const german = new Set(forms(DE));
    return forms(EN).filter((text) => !german.has(text)).map((text) => text.trim());
}"""
"""The English texts that German has others for."""
SHOWN = """() => {
    const found = [];
    for (const node of document.querySelectorAll("body, body *")) {
        if (!node.checkVisibility() || node.closest("script, noscript")) continue;
        for (const name of ["aria-label", "title", "placeholder", "alt"]) found.push(node.getAttribute(name) ?? "");
        for (const child of node.childNodes) if (child.nodeType === Node.TEXT_NODE) found.push(child.data);
    }
    return [document.title, ...found].flatMap((text) => [text, ...text.split(" · ")]).map((text) => text.trim());
}"""
"""All that is seen or read out: texts, also those for screen readers, and what names or explains elements."""
DAYS = re.compile(
    r"(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|\b(January|February|March|June|July|October|December)\b|\d [AP]M\b"
)


class English:
    """Finds what is still English on a page."""

    def __init__(self, page: Page) -> None:
        texts: list[str] = page.evaluate(DIFFERING)
        assert len(texts) > 200
        self._patterns = [re.compile(_pattern(text)) for text in texts]
        self._page = page

    def __call__(self) -> list[str]:
        """The English texts that the page shows; and what, as German is longer, has no room in the smallest window."""
        texts: list[str] = self._page.evaluate(SHOWN)
        found = {text for text in texts if text and any(each.fullmatch(text) for each in self._patterns)}
        return sorted(found | {text for text in texts if DAYS.search(text)}) + self._outside()

    def _outside(self) -> list[str]:
        size = self._page.viewport_size
        assert size is not None
        self._page.set_viewport_size(SMALLEST)
        self._page.evaluate(NEXT_FRAME)
        outside: list[str] = self._page.evaluate(OUTSIDE)
        self._page.set_viewport_size(size)
        return outside


def _pattern(text: str) -> str:
    parts = re.split(r"\{\w+\}", text)
    return ".+".join(re.escape(part) for part in parts)


def begin(enter: Enter, name: str) -> tuple[Visitor, English]:
    """Somebody whose browser is German, signed up by the German form."""
    visitor = enter(name, sign_up=False, **GERMAN)
    page = visitor.page
    english = English(page)
    page.get_by_role("button", name="Neu hier").click()
    page.get_by_role("button", name="Konto anlegen").click()
    expect(page.get_by_text("Bitte gib einen Namen an.")).to_be_visible()
    assert english() == [], "signing up"
    page.get_by_role("button", name="Anmelden").first.click()
    assert english() == [], "signing in"
    visitor.expect_errors("status of 401")
    enter_name(page, name, "something else")
    expect(page.get_by_text("Der Name oder das Passwort ist falsch.")).to_be_visible()
    page.get_by_role("button", name="Neu hier").click()
    enter_name(page, name, PASSWORD)
    expect(page.get_by_role("navigation", name="Unterhaltungen")).to_be_visible(timeout=PATIENCE)
    return visitor, english


def enter_name(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Passwort", exact=True).fill(password)
    page.get_by_label("Passwort", exact=True).press("Enter")


@pytest.fixture
def bob(server: Server) -> Curl:
    return Curl(server, fresh("bob"))


def choose(page: Page, item: str) -> None:
    """Opens the menu of the account, and chooses something."""
    page.locator(".account").click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def close(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def dialogs(page: Page, bob: Curl) -> Iterator[tuple[str, Locator]]:
    """Opens each dialog that the details of a group lead to; the caller closes it."""
    panel = page.get_by_role("complementary", name="Details der Gruppe")
    for name in ("Name und Thema", "Gruppe verlassen", "Gruppe für alle beenden"):
        panel.get_by_role("button", name=name).click()
        yield name, page.get_by_role("dialog")
    panel.get_by_role("button", name=f"Was mit {bob.user} tun").click()
    yield "the menu of a member", page.get_by_role("menu")
    panel.get_by_role("button", name=f"Was mit {bob.user} tun").click()
    page.get_by_role("menuitem", name="Entfernen").click()
    yield "removing", page.get_by_role("dialog")


def test_a_group_and_all_around_it_is_in_the_browser_s_language(enter: Enter, server: Server, bob: Curl) -> None:
    alice, english = begin(enter, fresh("alice"))
    page = alice.page
    assert page.locator("html").get_attribute("lang") == "de"
    expect(page.get_by_text("Noch keine Unterhaltungen.")).to_be_visible()
    assert english() == [], "an empty list"
    page.get_by_role("searchbox").fill("niemand")
    expect(page.get_by_role("button", name="An niemand schreiben")).to_be_visible()
    alice.expect_errors("status of 404")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_text("Hier gibt es niemanden namens „niemand“.")).to_be_visible()
    assert english() == [], "nobody of that name"
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="Neue Gruppe").first.click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Gruppe anlegen").click()
    expect(form.get_by_text("Bitte gib der Gruppe einen Namen.")).to_be_visible()
    assert english() == [], "a new group"
    form.get_by_label("Name", exact=True).fill("Mittagessen")
    form.get_by_label("Personen").fill(bob.user)
    form.get_by_label("Personen").press("Enter")
    expect(form.get_by_role("button", name=f"{bob.user} weglassen")).to_be_visible()
    form.get_by_role("button", name="Gruppe anlegen").click()
    expect(page.get_by_role("heading", name="Mittagessen", exact=True)).to_be_visible()
    group = page.evaluate("decodeURIComponent(location.hash.slice(2))")
    assert english() == [], "an empty group"
    first = bob.say(group, "Wohin?")
    bob.say(group, "eine Antwort", reply_to=first)
    bob.say(group, f"@{alice.name} hier", mentions=[alice.name])
    bob("PUT", f"/v1/conversations/{group}/messages/{first}/reactions/%F0%9F%91%8D", {})
    gone = bob.say(group, "weg damit")
    bob("DELETE", f"/v1/conversations/{group}/messages/{gone}")
    alice.say("meine")
    expect(message(page, "meine")).to_be_visible()
    expect(page.locator(".message.queued")).to_have_count(0)
    expect(page.get_by_text("Diese Nachricht wurde gelöscht")).to_be_visible()
    expect(page.locator(".separator.day")).to_have_text("Heute")
    message(page, "meine").focus()
    page.keyboard.press("Enter")
    assert english() == [], "messages, and the tools of one"
    page.get_by_role("toolbar").get_by_role("button", name="Bearbeiten").click()
    assert english() == [], "an edit"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+f")
    page.keyboard.type("Wohin")
    expect(page.locator(".thread-search .count")).to_have_text("1 von 1")
    assert english() == [], "the search"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Zu einer Unterhaltung gehen")).to_be_focused()
    assert english() == [], "the switcher"
    close(page)
    page.get_by_role("button", name="Details der Gruppe").click()
    panel = page.get_by_role("complementary", name="Details der Gruppe")
    expect(panel.get_by_role("heading", name="2 Mitglieder")).to_be_visible()
    panel.get_by_role("button", name="Link erstellen").click()
    expect(panel.get_by_text("Bis ")).to_be_visible()
    assert english() == [], "the details"
    for what, shown in dialogs(page, bob):
        expect(shown).to_be_visible()
        assert english() == [], what
        page.keyboard.press("Escape")
        expect(shown).to_have_count(0)


def test_a_direct_conversation_the_settings_and_troubles_are_in_the_browser_s_language(enter: Enter, bob: Curl) -> None:
    alice, english = begin(enter, fresh("alice"))
    page = alice.page
    page.get_by_role("searchbox").fill(bob.user)
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_text(f"Sag {bob.user} Hallo!")).to_be_visible()
    assert english() == [], "an empty conversation"
    alice.say("hallo")
    shows(page, ["hallo"])
    expect(page.locator(".conversation .about")).to_have_text(re.compile("offline|zuletzt online"))
    page.get_by_role("button", name="Mehr", exact=True).click()
    assert english() == [], "the menu of a conversation"
    page.get_by_role("menuitem", name=f"{bob.user} blockieren").click()
    assert english() == [], "a question"
    page.get_by_role("dialog").get_by_role("button", name="Blockieren").click()
    expect(page.get_by_text(f"Du hast {bob.user} blockiert.")).to_be_visible()
    assert english() == [], "a block"
    choose(page, "Einstellungen")
    sheet = page.get_by_role("dialog", name="Einstellungen")
    expect(sheet.get_by_text("Diese hier")).to_be_visible()
    expect(sheet.get_by_role("button", name=f"{bob.user} freigeben")).to_be_visible()
    assert english() == [], "the settings"
    sheet.get_by_label("Altes Passwort").fill("not this one")
    sheet.get_by_label("Neues Passwort").fill("some other password")
    alice.expect_errors("status of 40[34]")
    sheet.get_by_role("button", name="Passwort ändern").click()
    expect(sheet.get_by_text("Das alte Passwort ist falsch.")).to_be_visible()
    assert english() == [], "a refusal"
    close(page)
    page.evaluate("location.hash = '#/g:nothing'")
    expect(page.get_by_text("Es gibt diese Gruppe nicht, oder du bist nicht darin.")).to_be_visible()
    assert english() == [], "an address of nobody"
    alice.expect_errors("net::ERR_")
    alice.context.set_offline(True)
    expect(banner(page)).to_contain_text("Du bist offline.")
    assert english() == [], "without a network"


def language_of(page: Page) -> str | None:
    return page.locator("html").get_attribute("lang")


def test_another_language_is_chosen_in_the_settings_and_counts_at_once_in_all_tabs_and_after_signing_out(
    enter: Enter, bob: Curl
) -> None:
    alice, english = begin(enter, fresh("alice"))
    page, other = alice.page, alice.tab()
    bob.make_group("Ausflug", alice.name)
    row(page, "Ausflug").click()
    expect(page.get_by_placeholder("Nachricht schreiben")).to_be_visible()
    page.locator("#composer").fill("ein Entwurf")
    choose(page, "Einstellungen")
    choice = page.get_by_label("Sprache")
    expect(choice.locator("option")).to_have_text(["Wie der Browser", "English", "Deutsch"])
    choice.select_option("English")
    expect(page.get_by_role("dialog", name="Settings").get_by_label("Language")).to_be_focused()
    assert (language_of(page), len(english()) > 20) == ("en", True)
    close(page)
    expect(page.locator("#composer")).to_have_value("ein Entwurf")
    expect(page.get_by_role("heading", name="Ausflug", exact=True)).to_be_visible()
    expect(other.get_by_role("navigation", name="Conversations")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(1)
    bob.say(page.evaluate("decodeURIComponent(location.hash.slice(2))"), "noch da?")
    shows(page, ["noch da?"])
    page.reload()
    expect(page.get_by_placeholder("Write a message")).to_be_visible()
    alice.sign_out()
    expect(page.get_by_role("button", name="New here")).to_be_visible()
    page.reload()
    alice.fill_in("Sign in")
    choose(page, "Settings")
    page.get_by_label("Language").select_option("As the browser")
    expect(page.get_by_role("dialog", name="Einstellungen")).to_be_visible()
    assert english() == []


def test_an_answer_and_an_edit_that_are_under_way_go_on_in_another_language(enter: Enter, bob: Curl) -> None:
    alice, _ = begin(enter, fresh("alice"))
    page = alice.page
    composer, mode = page.locator("#composer"), page.locator(".mode")
    group = bob.make_group("Ausflug", alice.name)
    bob.say(group, "wohin?")
    row(page, "Ausflug").click()
    use_tool(page, "wohin?", "Antworten")
    composer.fill("ans Meer")
    expect(mode).to_contain_text(f"Antwort an {bob.user}")
    speak(page, "Einstellungen", "Sprache", "English")
    expect(mode).to_contain_text(f"Reply to {bob.user}")
    expect(composer).to_have_value("ans Meer")
    composer.press("Enter")
    expect(message(page, "ans Meer").locator(".quote")).to_contain_text("wohin?")
    composer.fill("und dann")
    use_tool(page, "ans Meer", "Edit")
    composer.fill("in die Berge")
    speak(page, "Settings", "Language", "Deutsch")
    expect(mode).to_contain_text("Deine Nachricht bearbeiten")
    expect(composer).to_have_value("in die Berge")
    composer.press("Enter")
    shows(page, ["wohin?", "in die Berge"])
    expect(composer).to_have_value("und dann")


def use_tool(page: Page, text: str, tool: str) -> None:
    """Points at a message and clicks one of its tools, in whatever language."""
    message(page, text).locator(".bubble").hover()
    page.get_by_role("toolbar").get_by_role("button", name=tool, exact=True).click()


def speak(page: Page, settings: str, choice: str, language: str) -> None:
    """Chooses another language in the settings, by the names that they have now."""
    choose(page, settings)
    page.get_by_label(choice).select_option(language)
    expect(page.locator("html")).to_have_attribute("lang", "en" if language == "English" else "de")
    close(page)


def test_nothing_of_another_language_shows_before_that_of_the_browser(enter: Enter) -> None:
    alice = enter(fresh("alice"), sign_up=False, **GERMAN)
    page = alice.page
    page.add_init_script("""
        window.seen = new Set();
        new MutationObserver(() => window.seen.add(document.body?.innerText ?? ""))
            .observe(document, { childList: true, subtree: true, characterData: true });
    """)
    page.reload()
    expect(page.get_by_role("button", name="Neu hier")).to_be_visible()
    until(page, lambda: page.evaluate("window.seen.size > 0"))
    seen = page.evaluate("[...window.seen].join('\\n')")
    assert "Loading" not in seen
    assert "Sign in" not in seen
