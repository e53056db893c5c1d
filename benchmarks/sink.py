"""A server on loopback that takes every report of every service, and counts them.

    with sink.running() as url:             # a process of its own
        ...
        sink.taken(url)                     # how many so far

For those that have an option for the address, which all of them have.
"""

import contextlib
import json
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = {"id": "0" * 32, "err": 0, "result": {"id": None, "uuid": "0" * 32}}
"""What Sentry, Rollbar and Honeybadger look for in an answer; BugSnag looks at the status only."""


class Sink(BaseHTTPRequestHandler):
    """Takes any POST; a GET answers how many there were."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer is one packet

    def do_POST(self):
        """Read it, count it, say that all is well."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.posts += 1
        # Honeybadger's client logs an error at any status but 201.
        self._answer(201 if self.path.startswith("/v1/notices") else 200, ANSWER)

    def do_GET(self):
        """Say how many posts came so far."""
        self._answer(200, {"posts": self.server.posts})

    def _answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Bears clients that make a connection for each report, and those that go away."""

    request_queue_size = 1024
    daemon_threads = True
    posts = 0
    lock = threading.Lock()

    def handle_error(self, request, client_address):
        """A client that went away is none."""


@contextlib.contextmanager
def running():
    """Yield the address of a sink in a process of its own."""
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def taken(url):
    """Return how many posts the sink at `url` has taken."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        return json.load(answer)["posts"]


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Sink) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
