"""What pages report: the seed's JSON, who may, how much, and what the answer says."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import pathlib
import sqlite3
import threading

import pytest
from flask import Flask
from flask_wtf.csrf import CSRFProtect
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import loghub
from loghub import browser, filters
from loghub.delivery import deliverer
from loghub.delivery.home import home_of
from loghub.errors import LedgerError, OptionValueError
from loghub.filters import EventFilter
from loghub.handlers.github import GitHubIssueHandler
from loghub.ledger.protocol import Outcome
from loghub.seeds import error_reporter
from loghub.web import blueprint, create_app, report, visitors

URL = "/api/report-error"
REPO = "acme/shop"
ISSUE = "https://github.com/acme/shop/issues/7"
SHOP = "https://shop.example"
STACK = "TypeError: cart is undefined\n    at addToCart (http://localhost/static/js/shop.js:12:9)"
SEED = {
    "error_info": {
        "error_type": "TypeError",
        "error_message": "cart is undefined",
        "source_component": "dashboard",
        "stack": STACK,
        "context": {},
    }
}
FIELDS = {"success", "issue_url", "message", "fingerprint"}


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Have what a process begins with, in which nothing delivers by itself."""
    monkeypatch.setattr(error_reporter, "_default", loghub.ErrorReporter())
    monkeypatch.setattr(filters, "find_release", lambda *_: None)
    monkeypatch.setattr(filters, "_shared", None)
    monkeypatch.setattr(deliverer, "by_hand", True)


@pytest.fixture
def attach():
    """Return a function that gives the root logger a handler."""
    root, attached = logging.getLogger(), []

    def attached_to_root(handler):
        root.addHandler(handler)
        attached.append(handler)
        return handler

    yield attached_to_root
    for handler in attached:
        root.removeHandler(handler)
        handler.close()


@pytest.fixture
def handler(tmp_path, attach):
    """Return a handler on the root logger that would open issues."""
    return attach(GitHubIssueHandler(repo=REPO, token="t", home=str(tmp_path)))


@pytest.fixture
def make(tmp_path):
    """Return a function that makes the pages of the home."""

    def made(**options):
        given = {"no_login": True, "reports_per_minute": 10**6, "all_reports_per_minute": 10**6} | options
        return create_app(str(tmp_path), **given)

    return made


@pytest.fixture
def client(make, handler):
    """Return a client of pages that take any number of reports."""
    return make().test_client()


def kept(handler):
    """Return the events that are kept, the newest first."""
    handler.home.fold()
    return handler.home.ledger().events(100)


# The seed's JSON


def test_report(client, handler):
    """A report of the seed's form is one event of logger loghub.browser, and the answer says what is true."""
    answer = client.post(URL, json=SEED)
    assert answer.status_code == 200
    assert answer.json.keys() == FIELDS
    assert (answer.json["success"], answer.json["issue_url"]) == (True, None)
    assert answer.json["message"] == report.NOT_YET
    (event,) = kept(handler)
    assert event["fingerprint"] == answer.json["fingerprint"]
    assert (event["logger"], event["mechanism"], event["component"]) == ("loghub.browser", "browser", "dashboard")
    assert (event["error_type"], event["function"]) == ("TypeError", "addToCart")
    assert "request" not in event["additional_info"]


def test_known(client, handler):
    """Where the bug has an issue the answer is its URL, also for another occurrence, from the ledger alone."""
    mark = client.post(URL, json=SEED).json["fingerprint"]
    handler.home.fold()
    ledger = handler.home.ledger()
    (item,) = ledger.waiting(handler.destination, 0.0)
    ledger.settle(handler.destination, [Outcome(mark, "done", 1, memory={"issue_url": ISSUE})], 0.0)
    assert item.group.fingerprint == mark
    answer = client.post(URL, json=SEED).json
    assert (answer["success"], answer["issue_url"], answer["message"]) == (True, ISSUE, report.KNOWN)


MAPS = pathlib.Path(__file__).parents[1] / "browser_reports" / "maps"
BUNDLE = "https://shop.example/static/js/app.3f2a1b.js"
MINIFIED = {"error_type": "TypeError", "stack": f"TypeError: no\n    at r.total ({BUNDLE}:1:89)"}


@pytest.mark.parametrize("how", ["mapping", "text", "variable"])
def test_source_maps(make, handler, monkeypatch, how):
    """Frames of minified scripts get their original names, wherever it was said where the maps are."""
    prefix = "https://shop.example/static/"
    monkeypatch.setenv("LOGHUB_SOURCE_MAPS", f"{prefix}={MAPS}" if how == "variable" else "")
    given = {"mapping": {prefix: MAPS}, "text": f"{prefix}={MAPS}", "variable": None}[how]
    answer = make(source_maps=given).test_client().post(URL, json={"error_info": MINIFIED})
    assert answer.json["success"]
    (event,) = kept(handler)
    assert [(one["file"], one["function"], one["line"]) for one in event["frames"]] == [
        ("src/cart.ts", "Cart.total", 7)
    ]


def test_count(client, handler):
    """A report that stands for several occurrences counts as so many."""
    for count in (1, 30):
        assert client.post(URL, json={"error_info": SEED["error_info"] | {"count": count}}).json["success"]
    handler.home.fold()
    assert [group.count for group in handler.home.ledger().groups()] == [31]


@pytest.mark.parametrize("kind", ["application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded"])
def test_content_type(client, kind):
    """The body is JSON whatever its type says: sendBeacon says text/plain, curl that it is a form."""
    assert client.post(URL, data=json.dumps(SEED), content_type=kind).json["success"]


def test_without_token(make, attach, tmp_path):
    """Where no issue can be opened the error is counted, and the answer says why there is no URL."""
    one = attach(GitHubIssueHandler(repo=REPO, home=str(tmp_path)))
    answer = make().test_client().post(URL, json=SEED)
    assert (answer.json["success"], answer.json["message"]) == (True, report.NOWHERE)
    assert len(kept(one)) == 1


def test_nobody_takes_it(make, attach, tmp_path, monkeypatch):
    """Where no handler of loghub's is attached the environment is enough; the application's handlers see it, too."""
    monkeypatch.setenv("GITHUB_REPO", REPO)
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    seen = []
    other = attach(logging.Handler())
    other.emit = seen.append
    client = make().test_client()
    answers = [client.post(URL, json=SEED).json for _ in range(2)]
    assert [(answer["success"], answer["message"]) for answer in answers] == [(True, report.NOT_YET)] * 2
    (own,) = home_of(str(tmp_path), None).handlers()
    assert own.destination == f"github:{REPO}"
    assert len(kept(own)) == 2
    assert [record.name for record in seen] == ["loghub.browser"] * 2


def test_nothing_is_set(make, tmp_path):
    """Without handlers and without a token the error is counted in the pages' home."""
    answer = make().test_client().post(URL, json=SEED).json
    assert (answer["success"], answer["message"]) == (True, report.NOWHERE)
    (own,) = home_of(str(tmp_path), None).handlers()
    (event,) = kept(own)
    assert event["fingerprint"] == answer["fingerprint"]


def test_spoilt_environment(make, caplog, monkeypatch):
    """What the environment says wrongly is told in the log, and not to the page."""
    monkeypatch.setenv("GITHUB_REPO", "hunter2")
    answer = make().test_client().post(URL, json=SEED)
    assert answer.status_code == 200
    assert answer.json == {"success": False, "issue_url": None, "message": report.NOT_TAKEN, "fingerprint": None}
    assert "'hunter2'; it must be 'owner/name'" in caplog.text


def test_level_of_handlers(make, handler):
    """A handler that takes no errors does not take this one."""
    handler.setLevel(logging.CRITICAL)
    assert make().test_client().post(URL, json=SEED).json["message"] == report.NOT_TAKEN


def test_ignored(make, handler):
    """What the configuration ignores is not said to be counted."""
    handler.addFilter(EventFilter(ignore=["loghub.browser"]))
    answer = make().test_client().post(URL, json=SEED).json
    assert (answer["success"], answer["message"]) == (False, report.IGNORED)
    assert kept(handler) == []


def test_switched_off(make, attach, tmp_path, monkeypatch):
    """Where reporting is off the answer says so."""
    monkeypatch.setenv("ERROR_REPORTING_ENABLED", "false")
    attach(GitHubIssueHandler(repo=REPO, token="t", home=str(tmp_path)))
    answer = make().test_client().post(URL, json=SEED).json
    assert (answer["success"], answer["message"]) == (False, report.SWITCHED_OFF)


def test_noise(client, handler):
    """What no site can mend is not counted, and the page is told why."""
    answer = client.post(URL, json={"error_info": {"error_message": "Script error."}})
    assert (answer.status_code, answer.json["success"], answer.json["fingerprint"]) == (200, True, None)
    assert answer.json["message"]
    assert kept(handler) == []


def test_ledger_out_of_reach(client, handler, monkeypatch):
    """A ledger that cannot be used loses nothing, and the answer says what is not known."""
    client.post(URL, json=SEED)

    def unreachable(*_):
        raise loghub.errors.LedgerError("The disk is gone.")

    monkeypatch.setattr(type(handler.home.ledger()), "group", unreachable)
    answer = client.post(URL, json=SEED)
    assert (answer.status_code, answer.json["message"]) == (200, report.UNKNOWN)


def test_busy_ledger(client, handler):
    """While another thread is in the ledger, or another process writes, the answer comes all the same."""
    client.post(URL, json=SEED)
    handler.home.fold()
    ledger = handler.home.ledger()
    has_it, may_go = threading.Event(), threading.Event()

    def hold():
        with ledger.within(1):
            has_it.set()
            may_go.wait(20)

    other = threading.Thread(target=hold)
    other.start()
    assert has_it.wait(20)
    assert client.post(URL, json=SEED).json["message"] == report.UNKNOWN
    may_go.set()
    other.join()
    with contextlib.closing(sqlite3.connect(ledger.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert client.post(URL, json=SEED).json["message"] == report.NOT_YET


# Anything may come


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 60_000, "nested"),
        (b"[]", "object"),
        (b'{"error_info": 1}', "error_info"),
        (b'{"error_info": {"error_type": 5}}', "error_type"),
        (b'{"error_info": {}}', "says nothing"),
    ],
)
def test_malformed(client, handler, body, said):
    """What is no report is refused with one sentence that says what is wrong."""
    answer = client.post(URL, data=body)
    assert answer.status_code == 400
    assert answer.json.keys() == FIELDS
    assert answer.json["success"] is False
    assert said in answer.json["message"]
    assert kept(handler) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
NAMES = (
    "error_type error_message source_component stack context key url causes timestamp viewport count dropped release"
)
INFO = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES.split(), JSON))
REPORTS = st.fixed_dictionaries({"error_info": INFO | JSON})
BODIES = st.binary() | (JSON | REPORTS).map(lambda one: json.dumps(one).encode())
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Origin",
            "Content-Type",
            "Content-Encoding",
            "X-Loghub-Key",
            "X-Forwarded-For",
            "Authorization",
            "Accept",
            "Cookie",
        ]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")),
    max_size=3,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BODIES, HEADERS)
def test_any_bytes(client, body, headers):
    """Whatever comes, in body and headers, the answer is the seed's JSON and no failure of ours."""
    answer = client.post(URL, data=body, headers=headers)
    assert answer.status_code in {200, 400, 403}
    assert answer.json.keys() == FIELDS
    assert answer.json["message"]


def padded(size):
    """Return a report of so many bytes."""
    body = json.dumps(SEED | {"padding": ""})
    return json.dumps(SEED | {"padding": "x" * (size - len(body))}).encode()


@pytest.mark.parametrize(("size", "status"), [(report.MAX_BYTES, 200), (report.MAX_BYTES + 1, 413)])
def test_too_large(client, size, status):
    """64 KB are taken and one byte more is not, also where the body comes in chunks and does not say how long it is."""
    body = padded(size)
    assert len(body) == size
    assert client.post(URL, data=body).status_code == status
    chunked = {"input_stream": io.BytesIO(body), "headers": {"Transfer-Encoding": "chunked"}}
    answer = client.post(URL, **chunked, environ_overrides={"wsgi.input_terminated": True})
    assert answer.status_code == status
    assert answer.json["success"] is (status == 200)


def test_cut_short(client):
    """A body that ends before its Content-Length is refused with a reason."""
    answer = client.post(URL, input_stream=io.BytesIO(b'{"error'), headers={"Content-Length": "500"})
    assert answer.status_code == 400
    assert answer.json["message"]


# Whose pages may report


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost", 200),
        ("https://localhost", 200),
        ("http://localhost:80", 200),
        ("http://localhost:8080", 403),
        (SHOP, 200),
        ("HTTPS://SHOP.example:443", 200),
        ("http://shop.example", 403),
        ("https://shop.example.evil.example", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_origin(make, handler, origin, status):
    """Pages of the own host and of origins that are named may report, and whoever is no browser; no others."""
    client = make(allowed_origins=[SHOP]).test_client()
    headers = {} if origin is None else {"Origin": origin}
    answer = client.post(URL, json=SEED, headers=headers)
    assert answer.status_code == status
    assert "LOGHUB_ALLOWED_ORIGINS" in answer.json["message"] or status == 200
    assert "Origin" in answer.headers["Vary"]
    assert len(kept(handler)) == (status == 200)


def test_cors(make, handler):
    """A page of an allowed origin may send JSON and read each answer; of cookies nothing is said."""
    client = make(allowed_origins=f"{SHOP}, http://localhost:3000", reports_per_minute=1).test_client()
    asks = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    asked = client.options(URL, headers=asks)
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == SHOP
    assert asked.headers["Access-Control-Allow-Methods"] == "POST"
    assert "Content-Type" in asked.headers["Access-Control-Allow-Headers"]
    answers = [client.post(URL, data=data, headers={"Origin": SHOP}) for data in (json.dumps(SEED), b"")]
    assert [one.status_code for one in answers] == [200, 429]
    for one in (asked, *answers):
        assert one.headers["Access-Control-Allow-Origin"] == SHOP
        assert "Access-Control-Allow-Credentials" not in one.headers
        assert "Origin" in one.headers["Vary"]
    foreign = client.options(URL, headers=asks | {"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "Access-Control-Allow-Origin" not in foreign.headers


def test_origins_of_the_environment(make, handler, monkeypatch):
    """The environment names origins, too; a star stands for all."""
    monkeypatch.setenv("LOGHUB_ALLOWED_ORIGINS", SHOP)
    assert make().test_client().post(URL, json=SEED, headers={"Origin": SHOP}).status_code == 200
    monkeypatch.setenv("LOGHUB_ALLOWED_ORIGINS", "*")
    assert make().test_client().post(URL, json=SEED, headers={"Origin": "null"}).status_code == 200


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "https://a b", "ftp://shop.example", 5])
def test_malformed_origins(make, origin):
    """An origin that no browser says is refused when the pages are made."""
    with pytest.raises(OptionValueError, match="allowed_origins"):
        make(allowed_origins=[origin])


def test_public_key(make, handler):
    """With a public key only what brings it is counted, in a header or in the report."""
    client = make(public_key="pk").test_client()
    info = SEED["error_info"]
    for sent, status in (
        ({"json": SEED}, 403),
        ({"json": SEED, "headers": {"X-Loghub-Key": "other"}}, 403),
        ({"json": {"error_info": info | {"key": "pké"}}}, 403),
        ({"json": SEED, "headers": {"X-Loghub-Key": "pk"}}, 200),
        ({"json": {"error_info": info | {"key": "pk"}}}, 200),
    ):
        answer = client.post(URL, **sent)
        assert answer.status_code == status
        assert status == 200 or "public key" in answer.json["message"]
    assert len(kept(handler)) == 2


def test_budget(make, handler):
    """An address that has spent its minute is told how long to wait, and nothing of it is counted."""
    client = make(reports_per_minute=2).test_client()
    answers = [client.post(URL, json=SEED) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 429, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert "wait" in answers[-1].json["message"]
    other = client.post(URL, json=SEED, environ_overrides={"REMOTE_ADDR": "10.0.0.9"})
    assert other.status_code == 200
    assert kept(handler)[0]["fingerprint"]
    assert handler.home.ledger().totals()["occurrences"] == 3


@pytest.mark.parametrize(("proxies", "statuses"), [(0, [200, 429]), (1, [200, 200])])
def test_behind_proxies(make, handler, proxies, statuses):
    """Whose address counts is what proxies say only where it was said that there are some."""
    client = make(reports_per_minute=1, proxies=proxies).test_client()
    sent = [client.post(URL, json=SEED, headers={"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(2)]
    assert [one.status_code for one in sent] == statuses


def test_total_budget(make, handler):
    """All addresses together have a budget, too."""
    client = make(all_reports_per_minute=2).test_client()
    sent = [client.post(URL, json=SEED, environ_overrides={"REMOTE_ADDR": f"10.0.0.{n}"}) for n in range(3)]
    assert [one.status_code for one in sent] == [200, 200, 429]


# Status and test


def test_status(client, handler):
    """The status is the seed's, and needs no login."""
    answer = client.get("/api/error-reporter/status")
    assert answer.json == {"enabled": True, "github_repo": REPO, "has_token": True, "reported_errors_count": 0}
    assert "t" not in answer.json.values()


@pytest.mark.parametrize("spoilt", ["variable", "ledger"])
def test_status_unknown(make, monkeypatch, tmp_path, spoilt, handler):
    """A status that cannot be told is no failure of ours; where the ledger lies and what was set is not told."""
    client = make().test_client()
    if spoilt == "variable":
        monkeypatch.setenv("ERROR_REPORTING_ENABLED", "hunter2")
    else:

        def fail():
            raise LedgerError(f"The ledger {tmp_path}/ledger.db is damaged.")

        monkeypatch.setattr(handler.home.ledger(), "figures", fail)
    answer = client.get("/api/error-reporter/status")
    assert answer.status_code == 503
    assert "hunter2" not in answer.text
    assert str(tmp_path) not in answer.text


def test_test(client, handler):
    """A test is an error like any other, and is answered as one."""
    answer = client.post("/api/error-reporter/test")
    assert (answer.status_code, answer.json["success"]) == (200, True)
    (event,) = kept(handler)
    assert (event["error_type"], event["component"]) == ("TestError", "loghub-test")


def test_who_may_test(make, handler):
    """A test needs no login, and has the rules and the budget of a report."""
    locked = make(
        no_login=False, admin_password="a good one", allowed_origins=[SHOP], reports_per_minute=5
    ).test_client()
    assert locked.get("/api/error-reporter/status").status_code == 200

    def test(**named):
        return locked.post("/api/error-reporter/test", **named)

    assert test(headers={"Origin": "https://evil.example"}).status_code == 403
    assert test(headers={"Origin": SHOP}).headers["Access-Control-Allow-Origin"] == SHOP
    assert test(data=b"{").status_code == 400
    assert test(data=b"{}").status_code == 200
    assert test(data=b" " * (browser.MAX_BYTES + 1)).status_code == 413
    assert test(json=SEED).status_code == 200
    assert test().status_code == 429
    assert {event["error_type"] for event in kept(handler)} == {"TestError"}


def test_key_of_a_test(make, handler):
    """Where reports have to bring a key, a test has to, as a header or in its body."""
    client = make(public_key="a key").test_client()
    assert client.post("/api/error-reporter/test").status_code == 403
    assert client.post("/api/error-reporter/test", headers={"X-Loghub-Key": "a key"}).status_code == 200
    info = SEED["error_info"] | {"key": "a key"}
    assert client.post("/api/error-reporter/test", json={"error_info": info}).status_code == 200


# In an application that exists


def test_in_a_host(tmp_path, handler):
    """Below a prefix of an application with a token for each form, pages report without one."""
    app = Flask("host")
    app.secret_key = "a key"
    CSRFProtect(app)
    app.register_blueprint(blueprint(str(tmp_path), no_login=True), url_prefix="/ops")
    client = app.test_client()
    assert client.post("/ops" + URL, json=SEED).json["success"]
    assert client.post("/ops/api/error-reporter/test").status_code == 200
    assert client.post("/ops/outbox").status_code == 400


def test_defaults(tmp_path, handler):
    """Without options an address has its budget."""
    client = create_app(str(tmp_path), no_login=True).test_client()
    statuses = [client.post(URL, data=b"{").status_code for _ in range(visitors.REPORTS_PER_MINUTE + 1)]
    assert statuses == [400] * visitors.REPORTS_PER_MINUTE + [429]


# The script


def test_script(make):
    """The script answers at the seed's path, may be kept for a while, and is for pages of other sites as well."""
    client = make().test_client()
    answer = client.get("/static/js/error-reporter.js")
    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert b"installGlobalErrorHandler" in answer.data
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "max-age" in answer.headers["Cache-Control"]
    again = client.get("/static/js/error-reporter.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_script_in_a_host(tmp_path):
    """The application's own /static stays its own, beside the script and below a prefix."""
    static = tmp_path / "static"
    (static / "js").mkdir(parents=True)
    (static / "js" / "shop.js").write_text("shop()")
    for prefix in (None, "/ops"):
        app = Flask("host", static_folder=str(static))
        app.register_blueprint(blueprint(str(tmp_path), no_login=True), url_prefix=prefix)
        client = app.test_client()
        with client.get("/static/js/shop.js") as answer:
            assert answer.data == b"shop()"
        assert client.get(f"{prefix or ''}/static/js/error-reporter.js").status_code == 200
