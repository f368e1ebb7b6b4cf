"""The reports of the clients, and the web server that serves the browsers' page and receives their reports."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).parent
MODULES = HERE / "node" / "node_modules"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Desk:
    """Collects the lines of all clients. As a context manager it serves."""

    def __init__(self) -> None:
        self.plans: dict[str, list[dict[str, str]]] = {}
        """The tasks of each browser, by its name."""
        self._got: dict[str, list[str]] = defaultdict(list)
        self._lock = threading.Lock()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                if url.path == "/plan":
                    self.answer(json.dumps(desk.plans[unquote(url.query)]).encode(), "application/json")
                    return
                file = MODULES.parent / url.path[1:] if url.path.startswith("/node_modules/") else HERE / url.path[1:]
                if not file.suffix:
                    file = file.with_suffix(".js")  # as bundlers find it
                if file.is_file():
                    self.answer(file.read_bytes(), TYPES[file.suffix])
                else:
                    self.send_error(404)

            def do_POST(self) -> None:
                desk.take(self.rfile.read(int(self.headers["content-length"])).decode())
                self.answer(b"", "text/plain")

            def answer(self, body: bytes, content_type: str) -> None:
                self.send_response(200)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Desk":
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, line: str) -> None:
        """Stores a line: a client's name, a tab, an event's data."""
        name, _, data = line.partition("\t")
        try:
            text = str(json.loads(data)["text"])
        except (ValueError, KeyError, TypeError):
            text = f"no message: {data!r}"
        with self._lock:
            self._got[name].append(text)

    def got(self, name: str) -> list[str]:
        """The texts that this client received, in order."""
        with self._lock:
            return list(self._got[name])
