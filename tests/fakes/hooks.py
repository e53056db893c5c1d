"""A web server on 127.0.0.1 that takes notices, as apprise's ``json://`` sends them, and fails on request."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class FakeHooks:
    """Keeps what it gets, by path.

    Attributes:
        told: Path, title and message of each notice that was taken.
        answers: What the next requests of a path get in place of 200: a status, ``"drop"``, or ``"hang"`` (until
            `release`).
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.kinds: list[str] = []
        self.answers: dict[str, list[int | str]] = {}
        self.asked = 0
        self.release = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.asked += 1
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                waiting = fake.answers.get(self.path.rstrip("/"), [])
                answer = waiting.pop(0) if waiting else 200
                if answer == "hang":
                    fake.release.wait(30)
                if isinstance(answer, str):
                    self.close_connection = True
                    return
                if answer == 200:
                    fake.told.append((self.path.rstrip("/"), said["title"], said["message"]))
                    fake.kinds.append(said["type"])
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def url(self, path: str = "a") -> str:
        """Return apprise's address of a path."""
        return f"json://127.0.0.1:{self._server.server_port}/{path}"

    def messages(self, path: str = "a") -> list[str]:
        """Return the texts that a path took."""
        return [message for where, _, message in self.told if where == f"/{path}"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
