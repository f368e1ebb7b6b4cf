"""The library of `web/`, as others get it: one file, and a package that bundlers and Node take; and its examples."""

import contextlib
import gzip
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from e2e.api import Person, mint
from e2e.browser.visitor import ARGUMENTS, CHROMIUM, PATIENCE
from serving import ROOT, Server, environment, until

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples"
WEB = ROOT / "tests" / "web"
DOCS = ROOT / "src" / "ssechat" / "http" / "docs" / "templates"
SOURCES = ROOT / "src" / "ssechat" / "web"
BUILD = WEB / "build.js"

BYTES = 12 * 1024
"""What the library in one file may have, compressed."""
FEEDS_BYTES = 4 * 1024
"""What its module of feeds may have, in one file and compressed."""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Runs a program, which must succeed; returns what it printed."""
    done = subprocess.run(
        command, cwd=cwd, env=environment(variables), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `npm pack` makes of the library and its types."""
    folder = tmp_path_factory.mktemp("package")
    run("node", BUILD, "--package", folder, cwd=ROOT)
    options = ("--ignoreConfig", "--allowJs", "--checkJs", "--strict", "--declaration", "--emitDeclarationOnly")
    platform = ("--target", "es2023", "--module", "esnext", "--moduleResolution", "bundler", "--types", "")
    library = ("--lib", "es2023,dom,dom.iterable")
    entries = [folder / name for name in ("ssechat.js", "chat.js", "feeds.js")]
    run(WEB / "node_modules" / ".bin" / "tsc", *options, *platform, *library, *entries, cwd=folder)
    run("npm", "pack", "--silent", cwd=folder)
    (packed,) = folder.glob("*.tgz")
    return packed


@pytest.fixture
def project(package: Path, tmp_path: Path) -> Path:
    """A project with the package installed, beside those with which the examples are built."""
    (tmp_path / "node_modules").symlink_to(EXAMPLES / "node_modules")
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("node_modules", "package*.json"))
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", package, cwd=folder)
    return folder


class Backend:
    """The web server of a page on another origin, which also gives the page a token of its user."""

    def __init__(self, folder: Path) -> None:
        self.tokens: list[str] = []
        """What `/token` answers, the last one again and again."""
        self.asked = 0
        backend = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments, directory=str(folder))

            def do_GET(self) -> None:
                if self.path != "/token":
                    super().do_GET()
                    return
                backend.asked += 1
                token = backend.tokens.pop(0) if len(backend.tokens) > 1 else backend.tokens[0]
                self.send_response(200)
                self.send_header("cache-control", "no-store")
                self.end_headers()
                self.wfile.write(token.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """A backend that serves the folder `site`."""
    folder = tmp_path / "site"
    folder.mkdir()
    backend = Backend(folder)
    yield backend
    backend.close()


@pytest.fixture
def server(tmp_path: Path, backend: Backend) -> Iterator[Server]:
    """A server that lets the backend's pages in."""
    with Server(tmp_path / "data", "--workers", "2", "--allowed-origins", backend.url) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "there is no chromium on the PATH; `bash tests/run` installs it"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


def test_the_library_in_one_file_is_small() -> None:
    for name, most in (("ssechat.min.js", BYTES), ("feeds.min.js", FEEDS_BYTES)):
        assert len(gzip.compress((SOURCES / name).read_bytes(), 9)) < most, name


def test_the_library_in_one_file_does_what_its_modules_do(tmp_path: Path) -> None:
    """It has shorter names, so a name that is one of its own in one place and another's elsewhere would break it."""
    run("node", BUILD, "--package", tmp_path, cwd=ROOT)  # with the file of what is loaded when it is needed
    run("node", "--test", WEB / "ssechat.test.js", cwd=ROOT, LIBRARY=str(tmp_path / "ssechat.min.js"))


def test_a_program_has_the_requests_that_are_loaded_when_they_are_made_and_what_an_app_shows(
    project: Path, server: Server
) -> None:
    for library in ("ssechat", "ssechat/ssechat.min.js"):
        (project / "rest.js").write_text(
            f"""import {{ SseChat }} from "{library}";
            import {{ Chat }} from "ssechat/chat";
            const [url, token] = process.argv.slice(2);
            const chat = new SseChat({{ url, token }});
            const {{ user }} = await chat.client.account.me();
            const {{ id }} = await chat.client.groups.create({{ name: "Friends" }});
            const {{ members }} = await chat.client.groups.members(id);
            console.log(user, members.length, typeof Chat.prototype.mute);
            """
        )
        with Person(server, "alice") as alice:
            assert run("node", "rest.js", server.url, alice.token, cwd=project) == "alice 1 function\n"


def test_an_app_of_modules_has_names_presence_and_receipts(project: Path, server: Server) -> None:
    (project / "app.js").write_text(
        """import { SseChat } from "ssechat";
        import { Chat } from "ssechat/chat";
        const [url, token] = process.argv.slice(2);
        const app = new SseChat({ url, token, Chat });
        const profile = new Promise((resolve) => app.addEventListener("profile", resolve));
        await app.start();
        await new Promise((resolve) => {
          app.addEventListener("state", ({ detail }) => detail.state === "live" && resolve());
        });
        await app.chat.people.change({ display_name: "Alice A." });
        await profile;
        console.log(app.chat.people.name("alice"), app.chat.receipts !== undefined, app.chat.presence !== undefined);
        app.close();
        """
    )
    with Person(server, "alice") as alice:
        assert run("node", "app.js", server.url, alice.token, cwd=project) == "Alice A. true true\n"


def test_the_package_has_types_that_a_strict_project_takes(project: Path) -> None:
    compiler = WEB / "node_modules" / ".bin" / "tsc"
    options = ("--ignoreConfig", "--strict", "--noEmit", "--target", "es2022", "--exactOptionalPropertyTypes")
    modules = ("--module", "nodenext", "--lib", "es2023,dom,dom.iterable,dom.asynciterable", "--types", "")
    run(compiler, *options, *modules, "types.ts", cwd=project)


def documented(name: str, server: Server) -> str:
    """A program as the documentation has it, for this server."""
    return (DOCS / name).read_text().replace("https://chat.example.com", server.url)


def plain_page(project: Path, server: Server, site: Path) -> None:
    """Puts the page of the documentation there."""
    shutil.copy(project / "plain.html", site / "index.html")
    (site / "page.js").write_text(documented("page.js", server))


def chats(page: Page, alice: Person, bob: Person) -> None:
    """Checks that bob's messages come into alice's page, and that what is typed there gets to bob."""
    expect(page.locator("#state")).to_have_text("live")
    bob.say("from bob", alice.user)
    expect(page.locator("li")).to_have_text(["bob: from bob"])
    page.get_by_label("Message").fill("from the page")
    page.get_by_label("Message").press("Enter")
    expect(page.locator("li")).to_have_text(["bob: from bob", "alice: from the page"])


def loads_more(page: Page, server: Server, alice: Person) -> None:
    """Checks that a request that few programs make is loaded from the server's origin, under a name for ever."""
    code = """async ([url, token]) => {
        const { SseChat } = await import(`${url}/web/ssechat.min.js`);
        return (await new SseChat({ url, token }).client.account.me()).user;
    }"""
    assert page.evaluate(code, [server.url, alice.token]) == "alice"
    loaded = page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    (more,) = {name for name in loaded if re.search(r"/web/requests-[0-9a-f]{16}\.js$", name)}
    assert more.startswith(server.url)
    assert "immutable" in httpx.get(more).headers["cache-control"]


FRAMEWORKS = {"react": "react.jsx", "vue": "vue.js"}


@pytest.mark.parametrize("example", ["plain", *FRAMEWORKS])
def test_a_page_on_another_origin_chats_with_a_token_of_its_backend(
    example: str, project: Path, backend: Backend, server: Server, browser: Browser, tmp_path: Path
) -> None:
    if example == "plain":
        plain_page(project, server, tmp_path / "site")
    else:
        (project / example / FRAMEWORKS[example]).write_text(documented(FRAMEWORKS[example], server))
        vite = EXAMPLES / "node_modules" / ".bin" / "vite"
        out = ("--outDir", tmp_path / "site", "--target", "es2022", "--logLevel", "warn")
        run(vite, "build", *out, cwd=project / example)
    with Person(server, "alice") as alice, Person(server, "bob") as bob:
        backend.tokens = [alice.token]
        page = browser.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{backend.url}/index.html")
        chats(page, alice, bob)
        if example == "plain":
            loads_more(page, server, alice)
        assert page.context.cookies() == []
        page.context.close()
        assert [text for text in wrong if "favicon" not in text and "404" not in text] == []


def test_when_a_token_ends_the_page_asks_for_another_and_its_stream_goes_on(
    project: Path, backend: Backend, server: Server, browser: Browser, tmp_path: Path
) -> None:
    plain_page(project, server, tmp_path / "site")
    with Person(server, "alice") as alice, Person(server, "bob") as bob:
        backend.tokens = [mint(server, "alice", seconds=4), alice.token]
        page = browser.new_page()
        page.goto(f"{backend.url}/index.html")
        expect(page.locator("#state")).to_have_text("live")
        began = time.monotonic()
        said: list[str] = []
        while backend.asked < 2 or time.monotonic() < began + 6:
            assert time.monotonic() < began + 30, "the page did not ask for another token"
            said.append(f"bob: message {len(said)}")
            bob.say(said[-1].removeprefix("bob: "), alice.user)
            page.wait_for_timeout(100)
        expect(page.locator("li")).to_have_text(said)
        expect(page.locator("#state")).to_have_text("live")
        page.context.close()


def test_a_bot_in_node_answers_each_message_once_though_it_is_killed(project: Path, server: Server) -> None:
    shutil.copy(DOCS / "bot.js", project)
    with Person(server, "alice") as alice, Person(server, "bot") as bot, contextlib.ExitStack() as stack:

        def started() -> subprocess.Popen[bytes]:
            variables = {"SSECHAT_SERVER": server.url, "SSECHAT_TOKEN": bot.token}
            process = stack.enter_context(subprocess.Popen(["node", "bot.js"], cwd=project, env=environment(variables)))
            stack.callback(process.kill)  # also where the test fails
            return process

        def heard() -> list[str]:
            return [each["text"] for each in alice.history("bot") if each["sender"] == "bot"]

        first, bookmark, first_bookmark = started(), project / "bot.bookmark", project / "first.bookmark"
        until(bookmark.exists, 20)
        first_bookmark.hardlink_to(bookmark)
        alice.say("one", "bot")
        until(lambda: heard() == ["You said: one"], 20)
        until(lambda: bookmark.read_text() != first_bookmark.read_text(), 20)  # a new file, so a whole one
        first.kill()
        first.wait()
        alice.say("two", "bot")
        second = started()
        alice.say("three", "bot")
        until(lambda: len(heard()) == 3, 20)
        assert heard() == [f"You said: {word}" for word in ("one", "two", "three")]
        second.send_signal(signal.SIGTERM)
        assert second.wait(10) == 0, "`close()` leaves nothing that keeps the process"
