"""The read-only JSON: rows, filters, pages, refusals, and the document that describes it."""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import re
import threading
import typing

import pytest
import schemathesis
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.config._auth import OpenAPIAuthConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from werkzeug.serving import make_server

from loghub import asked, event, filters, history
from loghub.cli import main
from loghub.delivery import deliverer
from loghub.handlers.github import GitHubIssueHandler
from loghub.web import create_app, openapi, parameters, schema

PASSWORD = "a good one"
LISTS = ["/api/errors", "/api/groups", "/api/stats"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a home with errors of three bugs in it."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    monkeypatch.setattr(filters, "_shared", None)
    handler = GitHubIssueHandler(repo="acme/shop", token="t", home=str(tmp_path))
    log = logging.getLogger("tests.web.api")
    log.propagate = False
    log.addHandler(handler)
    for kind in (KeyError, ValueError, ZeroDivisionError):
        for number in range(4):
            try:
                raise kind(f"bug {number}")
            except kind:
                log.exception("failed: \ud800 %s", kind.__name__)
    handler.home.fold()
    log.removeHandler(handler)
    yield str(tmp_path)
    handler.close()


@pytest.fixture
def client(home):
    """Return a client of pages that ask for no login."""
    return create_app(home, no_login=True).test_client()


def by_command(home, *arguments):
    """Return what a verb of the command line prints as JSON."""
    done = CliRunner().invoke(main, [*arguments, "--json", "--home", home], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("path", "verb"),
    [
        ("/api/errors?limit=5&type=ValueError", ["recent", "-n", "5", "--type", "ValueError"]),
        ("/api/errors?since=1h&level=error&text=bug", ["recent", "-n", "50", "--since", "1h"]),
        ("/api/groups", ["groups"]),
        ("/api/groups?sort=count&trend=true&status=open", ["groups", "--sort", "count", "--trend"]),
        ("/api/groups?module=nowhere", ["groups", "--module", "nowhere"]),
        ("/api/stats?days=30", ["stats", "--days", "30"]),
        ("/api/stats?type=*Error&trend=true", ["stats", "--type", "*Error", "--trend"]),
    ],
)
def test_as_the_command_line(client, home, path, verb):
    """The answer is what the command line's --json prints."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.json == by_command(home, *verb)


@pytest.mark.parametrize("path", ["/api/errors?limit=5", "/api/groups?limit=1", "/api/groups?limit=2&sort=count"])
def test_pages(client, path):
    """The header Link leads through the whole list, each row once."""
    whole = client.get(re.sub(r"limit=\d", "limit=200", path))
    rows, at = [], path
    while at:
        page = client.get(at)
        rows += page.json
        link = page.headers.get("Link")
        assert link is None or link.endswith('>; rel="next"')
        at = link and path.partition("?")[0] + link[1 : link.index(">")]
    assert rows == whole.json
    assert len(rows) >= 3


def test_fingerprint(client):
    """The errors of one group can be asked for."""
    mark = client.get("/api/groups").json[0]["fingerprint"]
    found = client.get("/api/errors", query_string={"fingerprint": mark}).json
    assert {one["fingerprint"] for one in found} == {mark}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit"),
        ("limit=201", "200"),
        ("limit=\N{ARABIC-INDIC DIGIT ONE}", "limit"),
        ("after=nothing", "after"),
        ("level=loud", "CRITICAL"),
        ("since=yesterday", "since"),
        ("type=%1E", "type"),
        ("after=7~v1:0123456789abcdef", "timestamp"),
        ("fingerprint=v1:3f", "fingerprint"),
        ("typ=KeyError", "did you mean 'type'?"),
        ("zzzzzz=1", "there are"),
        ("type=a&type=b", "once"),
        ("until=%20", "empty"),
        (f"type={'x' * 1001}", "type"),
    ],
)
def test_refused(client, query, said):
    """What is asked wrongly is refused with a sentence that names the parameter and says what is right."""
    answer = client.get(f"/api/errors?{query}")
    assert answer.status_code == 400
    assert answer.json.keys() == {"error", "message"}
    assert said in answer.json["message"]


@pytest.mark.parametrize("until", ["2d", "1d", "1960-01-01"])
def test_no_time_between(client, until):
    """Until a moment that is not after since there is nothing, in lists and in statistics."""
    query = f"since=1d&until={until}"
    assert client.get("/api/errors?since=1d").json
    assert client.get(f"/api/errors?{query}").json == client.get(f"/api/groups?{query}").json == []
    found = client.get(f"/api/stats?{query}&trend=true")
    assert found.status_code == 200
    assert found.json["total_errors"] == 0


@pytest.mark.parametrize("query", ["days=0", "days=x", "trend=1", "sort=last"])
def test_refused_statistics(client, query):
    """So it is with statistics."""
    assert client.get(f"/api/stats?{query}").status_code == 400


@pytest.mark.parametrize("path", LISTS)
def test_logged_out(home, path):
    """Who is not logged in gets no rows and no page to log in at, but a 401 in JSON."""
    answer = create_app(home, admin_password=PASSWORD).test_client().get(path)
    assert answer.status_code == 401
    assert answer.json["error"] == "Unauthorized"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(LISTS), st.dictionaries(st.sampled_from([*parameters.PARAMETERS, "x"]), st.text(), max_size=4))
def test_any_query(client, path, query):
    """Whatever is asked, the answer is rows or a reason."""
    answer = client.get(path, query_string=query)
    assert answer.status_code in {200, 400}
    assert answer.status_code == 200 or answer.json["message"]


# The document


def test_table_is_whole():
    """Every filter that can be read is described, and what each address is asked for is in the table."""
    assert set(asked.NAMES) <= parameters.PARAMETERS.keys()
    for names in (parameters.ERRORS, parameters.GROUPS, parameters.STATS):
        assert set(names) <= parameters.PARAMETERS.keys()


def test_rows_are_described(client):
    """The types of rows have the keys that rows have."""
    rows = client.get("/api/groups").json
    assert {frozenset(row) for row in rows} == {openapi.Group.__required_keys__}
    assert client.get("/api/stats").json.keys() == openapi.Statistics.__required_keys__
    assert {key for row in client.get("/api/errors").json for key in row} <= event.Event.__annotations__.keys()
    assert history.DAY_SECONDS  # group_row and statistics are history's


def test_every_route_is_described(home):
    """The document has every address of the REST endpoint, with its methods."""
    app = create_app(home, no_login=True)
    routes = {
        (rule.rule, method.lower())
        for rule in app.url_map.iter_rules()
        if "/api/" in rule.rule or rule.rule in {"/healthz", "/metrics"}
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    paths = app.test_client().get("/api/openapi.json").json["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == routes


def test_prefix(home):
    """The document says below which path it holds, and needs no login."""
    app = create_app(home, admin_password=PASSWORD, url_prefix="/ops")
    said = app.test_client().get("/ops/api/openapi.json").json
    assert said["servers"] == [{"url": "/ops"}]
    assert said["paths"]["/api/errors"]["get"]["security"] == [{"session": []}]


def test_schemas_of_types():
    """A type that has no schema is refused, not described as anything."""
    assert schema.of(list[str | None]) == {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}
    assert schema.of(typing.Optional[int]) == {"anyOf": [{"type": "integer"}, {"type": "null"}]}  # noqa: UP045
    with pytest.raises(TypeError, match="no JSON schema"):
        schema.of(set[int])


@pytest.mark.slow
def test_blank_texts():
    """What the document calls blank is what the endpoint calls blank, whoever's white space it is."""
    not_blank = re.compile(schema.NOT_BLANK["pattern"])
    every = list(map(chr, range(0x110000)))
    assert [one for one in every if not_blank.search(one)] == [one for one in every if one.strip()]


def conflicting(query):
    """Return whether a place is of a list in another order, which OpenAPI has no words for."""
    after, by_count = str(query.get("after", "")), query.get("sort") == "count"
    return bool(after) and after.partition("~")[0].isdecimal() != by_count


def session_of(app):
    """Return the cookie of a session that the form has begun."""
    client = app.test_client()
    page = client.get("/login").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    client.post("/login", data={"csrf_token": token, "name": "admin", "password": PASSWORD})
    return client.get_cookie(app.config["SESSION_COOKIE_NAME"]).value


def findings(finished):
    """Yield what schemathesis has found in a scenario."""
    for key, checks in finished.recorder.checks.items():
        case = finished.recorder.cases[key].value
        for check in checks:
            expected = check.name == "positive_data_acceptance" and conflicting(case.query or {})
            if check.failure_info is not None and not expected:
                yield f"{check.name}: {case.as_curl_command()}: {check.failure_info.failure.message}"


@contextlib.contextmanager
def served(app):
    """Serve an application; yield its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("who", ["admin", "anybody", "nobody"])
def test_the_document_is_true(home, who):
    """Whatever schemathesis sends, the answers are as the document says: to all operations, logged in and not."""
    anybody = who == "anybody"
    budgets = {"reports_per_minute": 10**6, "all_reports_per_minute": 10**6}
    app = create_app(home, admin_password=None if anybody else PASSWORD, no_login=anybody, **budgets)
    found, statuses = [], collections.defaultdict(set)
    with served(app) as url:
        loaded = schemathesis.openapi.from_url(f"{url}/api/openapi.json")
        loaded.config.generation.update(max_examples=15)
        if who == "admin":
            loaded.config.auth.openapi = OpenAPIAuthConfig(schemes={"session": {"api_key": session_of(app)}})
        for happened in from_schema(loaded).execute():
            assert not isinstance(happened, NonFatalError | FatalError), happened.info
            if isinstance(happened, ScenarioFinished):
                found += findings(happened)
                for key, interaction in happened.recorder.interactions.items():
                    statuses[happened.recorder.cases[key].value.path].add(interaction.response.status_code)
    assert found == []
    assert statuses.keys() == loaded.raw_schema["paths"].keys() - {"/api/openapi.json"}  # it is what was read
    for path in LISTS:
        assert statuses[path] >= ({401} if who == "nobody" else {200, 400})
