"""Errors told by hand: what report_error and log_error take, and what they give back.

    GITHUB_REPO=owner/name GITHUB_TOKEN=... python examples/error_reporting_demo.py
    python examples/error_reporting_demo.py --serve     # the page beside it: errors of a browser

The issues' URLs are printed. Without a token nothing is sent: the errors are kept, and `loghub recent` shows them.
"""

import argparse
import logging
import pathlib
import traceback

import loghub

PAGE = pathlib.Path(__file__).with_name("error_reporting_demo.html")


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


def serve(port):
    """Serve the page, and below /loghub what takes its errors and shows them."""
    from waitress import create_server
    from werkzeug import Request, Response
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    from loghub.web import create_app

    logging.getLogger().addHandler(loghub.GitHubIssueHandler())
    page = Request.application(lambda _: Response(PAGE.read_bytes(), mimetype="text/html"))
    site = DispatcherMiddleware(page, {"/loghub": create_app(no_login=True)})
    server = create_server(site, host="127.0.0.1", port=port)
    print(f"http://127.0.0.1:{server.effective_port}/", flush=True)
    server.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true", help="serve the page instead")
    parser.add_argument("--port", type=int, default=5000)
    chosen = parser.parse_args()
    serve(chosen.port) if chosen.serve else tell()
