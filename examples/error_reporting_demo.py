"""Errors told by hand: what report_error and log_error take, and what they give back.

    GITHUB_REPO=owner/name GITHUB_TOKEN=... python examples/error_reporting_demo.py
    python examples/error_reporting_demo.py --serve     # the page beside it: errors of a browser

The issues' URLs are printed. Without a token nothing is sent: the errors are kept, and `loghub recent` shows them.
"""

import argparse
import json
import pathlib
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import loghub

PAGE = pathlib.Path(__file__).with_name("error_reporting_demo.html")
REPORTER = pathlib.Path(loghub.__file__).parent / "web" / "static" / "js" / "error-reporter.js"
MAX_BYTES = 64 * 1024


def divide(one, other):
    return one / other


def tell():
    try:
        divide(1, 0)
    except ZeroDivisionError as error:
        url = loghub.report_error(exception=error, source_component="demo", context={"password": "hunter2", "try": 1})
        print("caught:", url or "kept")
        text = traceback.format_exc()

    # The same error as a text, from a log file or another machine, is the same bug: one issue, counted twice.
    print("as a text:", loghub.report_error(traceback_str=text, source_component="demo") or "kept")

    # Of some errors only words are left.
    url = loghub.report_error(error_type="SensorError", error_message="no reading since 08:12", source_component="demo")
    print("in words:", url or "kept")

    # log_error logs, and gives back what it logged. Here logging has no handlers, and says it on standard error.
    try:
        {}["device"]
    except KeyError as error:
        details = loghub.log_error(error, "demo.camera", "open", {"device": 2})
        print("logged:", details["error_type"], "in", f"{details['module']}.{details['function']}")


class Site(BaseHTTPRequestHandler):
    """The page, its script, and the endpoint that this posts to."""

    def do_GET(self):
        if self.path == "/static/js/error-reporter.js":
            self.answer(200, "text/javascript; charset=utf-8", REPORTER.read_bytes())
        else:
            self.answer(200, "text/html; charset=utf-8", PAGE.read_bytes())

    def do_POST(self):
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > MAX_BYTES:
            self.say(413, success=False, message=f"Content-Length must be there, and at most {MAX_BYTES}.")
            return
        try:
            told = json.loads(self.rfile.read(int(size)))["error_info"]
            error = {
                "error_type": told["error_type"],
                "error_message": told["error_message"],
                "traceback_str": told.get("stack"),
                "source_component": told.get("source_component", "browser"),
                "context": told.get("context"),
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            self.say(400, success=False, message="The body must be JSON: error_info with error_type, error_message.")
            return
        url = loghub.report_error(**error)
        self.say(200, success=True, issue_url=url, message="Error reported" if url else "Error kept")

    def say(self, status, **answer):
        self.answer(status, "application/json", json.dumps(answer).encode())

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said):
        """Print no line for each request."""


def serve(port):
    with ThreadingHTTPServer(("127.0.0.1", port), Site) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true", help="serve the page instead")
    parser.add_argument("--port", type=int, default=5000)
    chosen = parser.parse_args()
    serve(chosen.port) if chosen.serve else tell()
