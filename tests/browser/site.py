"""A web site on loopback with the reporter on its page, and an endpoint that notes what is reported."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from loghub import web

REPORTER = Path(web.__file__).parent / "static" / "js" / "error-reporter.js"


class Report(NamedTuple):
    """A request as it came; `info` is error_info."""

    path: str
    headers: dict
    info: dict
    size: int


class Site:
    """A site at a port of its own, which is an origin of its own, for a ``with`` statement.

    Attributes:
        pages: Path -> (content type, text, headers).
        mood: What becomes of a report: "take", a status, "hang" (until the end) or "drop" (no answer at all).
        reports: What was reported.
        preflights: Paths that were asked about by OPTIONS.
    """

    def __enter__(self):
        self.pages = {}
        self.mood = "take"
        self.retry_after = None
        self.reports = []
        self.preflights = []
        self.came = threading.Condition()
        self.ended = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"site": self}))
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.01])
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def page(self, body, path="/", head="", headers=()):
        """Serve a page; return its address."""
        text = f"<!doctype html><meta charset=utf-8><title>x</title>{head}<body>{body}"
        self.pages[path] = ("text/html", text, dict(headers))
        return self.origin + path

    def script(self, text, path="/app.js", headers=()):
        """Serve a script."""
        self.pages[path] = ("text/javascript", text, dict(headers))

    def wait(self, number):
        """Return the reports as soon as there are so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.reports) >= number, 30), [one.info for one in self.reports]
            return list(self.reports)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        if path.endswith("/static/js/error-reporter.js"):
            self.answer(200, "text/javascript", REPORTER.read_bytes())
        elif path in self.site.pages:
            kind, text, headers = self.site.pages[path]
            self.answer(200, kind, text.encode(), headers)
        else:
            self.answer(404, "text/plain", b"")

    def do_OPTIONS(self):
        self.site.preflights.append(self.path)
        allowed = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "content-type, x-loghub-key"}
        self.answer(204, "text/plain", b"", allowed | {"Access-Control-Allow-Origin": self.headers["Origin"]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        report = Report(self.path, dict(self.headers), json.loads(body)["error_info"], len(body))
        mood = self.site.mood
        with self.site.came:
            self.site.reports.append(report)
            self.site.came.notify_all()
        if mood == "hang":
            self.site.ended.wait(60)
        elif mood == "take":
            url = f"https://github.example/issues/{len(self.site.reports)}"
            text = json.dumps({"success": True, "issue_url": url, "message": "taken"})
            self.answer(200, "application/json", text.encode(), {"Access-Control-Allow-Origin": "*"})
        elif mood != "drop":
            self.answer(mood, "application/json", b"{}", {"Access-Control-Allow-Origin": "*"})

    def answer(self, status, kind, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # the browser did not wait

    def log_message(self, *said):
        """Print no line for each request."""
