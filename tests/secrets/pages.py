"""What the web part takes and gives: reports of browsers with secrets in them, and every page and answer."""

from __future__ import annotations

import html
import json
import re

from loghub.web.shown import filename
from tests.secrets.kinds import PLANTED

TOKEN = "metrics-" + "Qw8rTz5uIo2p"


def report(number, kind):
    """Return what a page posts, with secrets of a kind in all that it may say."""
    texts = [one.text for one in PLANTED if one.kind is kind]
    stack = f"Page{number}: {texts[1]}\n    at pay (http://localhost/js/cart.js?by={texts[2]}:{number + 1}:9)"
    return {
        "error_info": {
            "error_type": f"Page{number}", "error_message": texts[0], "stack": f"{stack}\n    {texts[3]}",
            "source_component": "cart", "context": {"paid": texts[4], "deep": [{"a": [texts[5]]}], texts[6]: 1},
            "user_agent": f"Browser {texts[7]}", "url": f"http://localhost/cart?by=1#{texts[8]}",
            "causes": [{"error_type": "TypeError", "error_message": texts[9], "stack": stack}],
        }
    }  # fmt: skip


def told(client, kinds):
    """Report of every kind, well and badly; return the answers."""
    answers = {}
    for number, kind in enumerate(kinds):
        said = report(number, kind)
        good = client.post("/api/report-error", json=said)
        assert good.json.get("success"), good.text
        text = said["error_info"]["error_message"]
        bad = {
            "words": text, "type": json.dumps({"error_info": {"error_type": [text]}}),
            "time": json.dumps({"error_info": {"error_type": "E", "timestamp": text}}), "body": json.dumps(text),
        }  # fmt: skip
        answers[f"Page{number}"] = good.text
        for name, body in bad.items():
            answer = client.post("/api/report-error", data=body)
            assert answer.status_code == 400, answer.text
            answers[f"{name} {number}"] = answer.text
    return answers


def asked(client, ledger):
    """Return what the pages and the JSON say of all that a ledger has, by sink."""
    groups, events = ledger.groups(2000), ledger.events(5000)
    newest = {one["fingerprint"]: one for one in reversed(events)}
    names = [filename(newest[one.fingerprint]) for one in groups if one.fingerprint in newest]
    pages = {path: got(client, path) for path in ("/errors/live", "/outbox", *lists(client, "/errors"))}
    pages |= {f"/groups/{one.fingerprint}": got(client, f"/groups/{one.fingerprint}") for one in groups}
    pages |= {f"/errors/{name}": got(client, f"/errors/{name}") for name in names}
    answers = {}
    for path in ("/api/errors", "/api/groups", "/api/stats"):
        query = "?trend=true" if path != "/api/errors" else "?limit=200"
        while query:
            answer = client.get(path + query)
            assert answer.status_code == 200
            answers[path + query] = answer.text
            more = re.match(r"<(\?.*)>", answer.headers.get("Link", ""))
            query = more[1] if more else ""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    return {
        "pages": pages,
        "JSON of an error": {name: got(client, f"/errors/{name}/json") for name in names},
        "Markdown of an error": {name: got(client, f"/errors/{name}/markdown") for name in names},
        "JSON for programs": answers,
        "health and metrics": {
            "metrics": client.get("/metrics", headers=bearer).text, "healthz": got(client, "/healthz"),
            "openapi": got(client, "/api/openapi.json"), "status": got(client, "/api/error-reporter/status"),
        },
    }  # fmt: skip


def lists(client, path):
    """Yield the addresses of a list's pages."""
    while path:
        yield path
        more = re.search(r'rel="next" href="([^"]+after=[^"]+)"', got(client, path))
        path = html.unescape(more[1]).partition("#")[0] if more else ""


def got(client, path):
    """Return the text of a page."""
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.text)
    return answer.text
