"""A stand-in for api.github.com: real HTTP on 127.0.0.1, GitHub's rules, and faults on request.

Requests are checked against, and replies are built from, GitHub's own description of its REST API (version
2022-11-28), which `githubkit` carries as pydantic models. What the description does not tell (limits,
messages, order of checks) follows these pages:

- https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
- https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
- https://docs.github.com/rest/issues/issues
- https://github.com/octokit/fixtures (rename-repository, errors)
- https://github.com/trstringer/manual-approval/issues/71 (assignees that cannot be assigned: 422)
- https://github.com/renovatebot/renovate/issues/6215 (a locked issue: 403)
- https://github.com/ossf/allstar/issues/64 (issues disabled: 410)
- https://github.com/helaili/deploy/issues/19 (a file without Contents: read: 403)
- https://docs.github.com/en/issues/tracking-your-work-with-issues/administering-issues/transferring-an-issue-to-another-repository
  (labels go along where the other repository has them)

Use::

    with FakeGitHub("example/app") as fake:
        fake.fault("POST */issues", "drop", when="after")     # created, and nobody is told
        ...                                                   # talk to fake.url with fake.token
        assert fake.issues("example/app")[0]["title"] == "..."
        assert fake.violations == []

A client that goes on writing while it was told to wait is a violation, too; how close its writes are, and what it reads
meanwhile, is listed apart (`hasty`, `impatient_reads`).

Other processes, and people: ``python -m tests.fakes.github --port 0`` prints its URL, ``GET /_state`` shows
everything.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import datetime as dt
import fnmatch
import hashlib
import inspect
import json
import math
import re
import socket
import threading
import time
import typing
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from githubkit_schemas.v2022_11_28 import models as m
from githubkit_schemas.v2022_11_28.rest.issues import IssuesClient
from githubkit_schemas.v2022_11_28.rest.repos import ReposClient
from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

if typing.TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "2022-11-28"
MAX_TITLE, MAX_BODY, MAX_LABEL, MAX_LABELS, MAX_COMMENTS = 256, 65_536, 50, 100, 2_500
MAX_PAGE, MAX_CONTENT = 100, 1 << 20
SECONDARY = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
    "Please retry your request again later."
)


@dataclass(frozen=True)
class Token:
    """Who a token belongs to and what it may do.

    Attributes:
        push: May push, so labels and assignees are kept.
        issues: The fine-grained permission: ``write``, ``read`` or nothing.
        contents: The same for files: ``read`` or nothing.
        repos: Repositories that it reaches although they are private (``*`` is all).
    """

    login: str = "reporter"
    push: bool = True
    issues: str = "write"
    contents: str = "read"
    repos: tuple[str, ...] = ("*",)


@dataclass
class Limits:
    """GitHub's limits; a test sets smaller ones. `retry_after` goes with the secondary ones, unless None."""

    requests_per_hour: int = 5_000
    anonymous_per_hour: int = 60
    creations_per_minute: int = 80
    creations_per_hour: int = 500
    points_per_minute: int = 900
    concurrent: int = 100
    retry_after: int | None = 60


@dataclass
class Comment:
    id: int
    author: str
    body: str
    at: float


@dataclass
class Issue:
    id: int
    number: int
    title: str
    body: str | None
    author: str
    created_at: float
    updated_at: float
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    state: str = "open"
    state_reason: str | None = None
    closed_at: float | None = None
    closed_by: str | None = None
    duplicate_of: int | None = None  # the id of an issue
    locked: bool = False
    deleted: bool = False
    pull_request: bool = False
    moved_to: tuple[int, int] | None = None  # id of a repository, number there
    comments: list[Comment] = field(default_factory=list)


@dataclass
class Repository:
    id: int
    full_name: str
    created_at: float
    private: bool = False
    has_issues: bool = True
    archived: bool = False
    assignable: tuple[str, ...] = ()
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)  # by lower-case name
    issues: dict[int, Issue] = field(default_factory=dict)
    files: dict[tuple[str, str | None], str] = field(default_factory=dict)  # by path and ref
    last_number: int = 0


class Request(NamedTuple):
    """One request as it was answered; status 0 says that the connection ended without a reply."""

    time: float
    method: str
    path: str
    body: Any
    status: int


@dataclass
class Call:
    """A request on its way through the rules."""

    method: str
    target: str
    headers: Any
    raw: bytes
    at: float
    body: Any = None
    token: Token | None = None
    repo: Repository | None = None
    query: Any = None
    needs: str = ""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def secret(self) -> str:
        """The token as it was sent; empty without one."""
        return self.headers.get("Authorization", "").partition(" ")[2]

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass
class Reply:
    """An answer, and how much of it reaches the wire: ``whole``, ``half``, ``cut``, ``drop`` or ``hang``."""

    status: int
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    wire: str = "whole"
    seconds: float = 0.0

    @property
    def arrives(self) -> bool:
        """Whether its status and headers reach the client."""
        return self.wire not in ("drop", "hang")

    def wait_until(self, now: float, pause: float) -> float:
        """Return until when it tells its reader to wait; a limit that says nothing of it means `pause` seconds."""
        told = {name.lower(): value for name, value in self.headers.items()}
        after = told.get("retry-after")
        if self.status not in (403, 429) or not self.arrives:
            return 0.0
        if after is not None:
            return now + int(after) if after.isdecimal() else parsedate_to_datetime(after).timestamp()
        if told.get("x-ratelimit-remaining") == "0":
            return float(told["x-ratelimit-reset"])
        limited = self.status == 429 or "rate limit" in json.dumps(self.json)
        return now + pause if limited else 0.0

    def payload(self) -> bytes:
        if self.text is not None:
            return self.text.encode()
        return b"" if self.json is None else json.dumps(self.json).encode()


class ApiError(Exception):
    """An answer that is an error; with `blame` it is recorded as a violation of the API's description."""

    def __init__(self, status, message, errors=(), headers=None, blame="") -> None:
        super().__init__(message)
        body = {
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": str(status),
        }
        self.reply = Reply(status, body | ({"errors": list(errors)} if errors else {}), dict(headers or {}))
        self.blame = blame


def invalid(field_name, message="", code="custom", resource="Issue", blame=""):
    """Return GitHub's 422 for one field."""
    error = {"resource": resource, "code": code, "field": field_name} | ({"message": message} if message else {})
    return ApiError(422, "Validation Failed", [error], blame=blame)


@dataclass
class Fault:
    match: str
    kind: str
    when: str
    times: float
    seconds: float | None
    headers: dict[str, str]

    def reply(self, now: float, acted: Reply | None) -> Reply:
        """Return the faulty answer; `acted` is the true one if the server did as it was asked."""
        true = acted or Reply(200, {"message": "this reply does not arrive whole"})
        wires = {"drop": "drop", "hang": "hang", "truncate": "half", "cut": "cut"}
        if self.kind in wires:
            seconds = 30.0 if self.seconds is None else self.seconds
            return Reply(true.status, true.json, self.headers, wire=wires[self.kind], seconds=seconds)
        if self.kind == "html":
            page = "<!DOCTYPE html>\n<title>Gateway</title><h1>The proxy has a page of its own</h1>"
            return Reply(200, None, {"Content-Type": "text/html"} | self.headers, page)
        return self._error(now)

    def _error(self, now: float) -> Reply:
        headers = dict(self.headers)
        if self.kind == "secondary":
            if self.seconds is not None:
                headers.setdefault("Retry-After", str(int(self.seconds)))
            return ApiError(403, SECONDARY, headers=headers).reply
        if self.kind == "primary":
            reset = int(now + (60 if self.seconds is None else self.seconds))
            limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
            return ApiError(403, "API rate limit exceeded for user ID 1.", headers=limit | headers).reply
        status = int(self.kind)
        return ApiError(status, f"{BaseHTTPRequestHandler.responses[status][0]}", headers=headers).reply


class FakeGitHub:
    """GitHub in one object; see the module's docstring.

    Args:
        repos: Full names of the public repositories to begin with.
        clock: Epoch seconds; a test may hand in its own.
        prefix: ``/api/v3`` makes it an Enterprise Server.
        port: 0 takes a free one.
        tls: An SSLContext makes it speak HTTPS.

    Attributes:
        url: What a client takes as ``api_url``.
        token: A token that may do everything; `tokens` maps each accepted one to its `Token`.
        limits: See `Limits`.
        list_lag_seconds: How long a new issue stays out of the list of issues.
        requests: Each `Request`, in the order of the answers.
        violations: What clients did against the description of the API, and what they wrote while told to wait.
        impatient_reads: What they read while told to wait.
        hasty: Writes that came less than `write_gap_seconds` after the last one of their token was answered, or
            while it was under way.
        wait_until: Until when each token was told to wait (epoch seconds).
        pause_seconds: What a limit means that names no time (GitHub's: a minute).
        tolerance_seconds: How much too early is not yet early.
        on_request: Called with ``arrived`` and the `Call` before the server acts, and with ``answered`` before the
            reply is sent. True says that the client is gone: an arriving request is lost, an answer reaches nobody.
    """

    def __init__(self, *repos: str, clock=time.time, prefix: str = "", port: int = 0, tls=None) -> None:
        self.clock = clock
        self.prefix = prefix
        self.web_url = "https://github.com"
        self.token = "fake-token"
        self.tokens = {self.token: Token()}
        self.limits = Limits()
        self.list_lag_seconds = 0.0
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.impatient_reads: list[str] = []
        self.hasty: list[str] = []
        self.wait_until: dict[str, float] = {}
        self.write_gap_seconds = 1.0
        self.pause_seconds = 60.0
        self.tolerance_seconds = 0.05
        self.on_request: Callable[[str, Call], bool | None] | None = None
        self._written_at: dict[str, float] = {}
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self._last_id = 1_000
        self._repos: dict[int, Repository] = {}
        self._renamed: dict[str, int] = {}
        self._faults: list[Fault] = []
        self._port = port
        self._tls = tls
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.rest = _Rest(self)
        for name in repos:
            self.add_repo(name)

    # Serving

    def start(self) -> typing.Self:
        self._server = _Server(self, self._port)
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End at once, also for those who hang."""
        self.stopping.set()
        if self._server and self._thread:
            self._server.end()
            self._thread.join()

    def __enter__(self) -> typing.Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        assert self._server, "start() it first"
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    # What a test looks at

    def issues(self, repo: str) -> list[dict[str, Any]]:
        """Return all issues and pull requests that were not deleted or moved, as GitHub shows them."""
        with self.lock:
            found = self.repo(repo)
            return [self.rest.issue(found, i) for i in found.issues.values() if not (i.deleted or i.moved_to)]

    def issue(self, repo: str, number: int) -> dict[str, Any]:
        with self.lock:
            return self.rest.issue(self.repo(repo), self.repo(repo).issues[number])

    def comments(self, repo: str, number: int) -> list[dict[str, Any]]:
        with self.lock:
            issue = self.repo(repo).issues[number]
            return [self.rest.comment(self.repo(repo), issue, comment) for comment in issue.comments]

    def state(self) -> dict[str, Any]:
        """Return everything as JSON can hold it; ``GET /_state`` answers this."""
        with self.lock:
            repos = {repo.full_name: self._repo_state(repo) for repo in self._repos.values()}
            requests = [request._asdict() for request in self.requests]
            manners = {"impatient_reads": list(self.impatient_reads), "hasty": list(self.hasty)}
            return {"repos": repos, "requests": requests, "violations": list(self.violations)} | manners

    def _repo_state(self, repo: Repository) -> dict[str, Any]:
        return {
            "issues": self.issues(repo.full_name),
            "comments": {str(n): self.comments(repo.full_name, n) for n in repo.issues},
            "labels": [self.rest.label(repo, label) for label in repo.labels.values()],
        }

    # What other people do on the web site

    def repo(self, full_name: str) -> Repository:
        """Return the repository itself; set ``has_issues``, ``private``, ``assignable`` ... at will."""
        return next(r for r in self._repos.values() if r.full_name.lower() == full_name.lower())

    def add_repo(self, full_name: str, **attributes: Any) -> Repository:
        with self.lock:
            repo = Repository(self.next_id(), full_name, self.clock(), **attributes)
            self._repos[repo.id] = repo
            return repo

    def add_issue(self, repo: str, title: str, body: str = "", **attributes: Any) -> Issue:
        """Open an issue as a person, past every rule; `attributes` are those of `Issue`."""
        with self.lock:
            found, now = self.repo(repo), self.clock()
            found.last_number += 1
            ids = {"id": self.next_id(), "number": found.last_number, "author": "somebody"}
            issue = Issue(title=title, body=body, created_at=now, updated_at=now, **(ids | attributes))
            found.issues[issue.number] = issue
            for name in issue.labels:
                self.add_label(repo, name)
            return issue

    def add_label(self, repo: str, name: str, color: str = "ededed", description: str | None = None) -> dict:
        with self.lock:
            label = {"id": self.next_id(), "name": name, "color": color, "description": description}
            return self.repo(repo).labels.setdefault(name.lower(), label)

    def add_comment(self, repo: str, number: int, body: str, author: str = "somebody") -> Comment:
        with self.lock:
            issue = self.repo(repo).issues[number]
            issue.updated_at = self.clock()
            issue.comments.append(Comment(self.next_id(), author, body, issue.updated_at))
            return issue.comments[-1]

    def edit(self, repo: str, number: int, **changes: Any) -> None:
        """Change an issue as a person; `changes` are attributes of `Issue`."""
        with self.lock:
            issue = self.repo(repo).issues[number]
            for name, value in changes.items():
                assert hasattr(issue, name), name
                setattr(issue, name, value)
            issue.updated_at = self.clock()

    def close(self, repo: str, number: int, reason: str = "completed", of: int | None = None) -> None:
        """Close an issue as a person; `of` is the number of the issue that it is a duplicate of."""
        with self.lock:
            original = self.repo(repo).issues[of].id if of else None
            closed = {"state": "closed", "closed_at": self.clock(), "closed_by": "somebody"}
            self.edit(repo, number, state_reason=reason, duplicate_of=original, **closed)

    def reopen(self, repo: str, number: int) -> None:
        opened = {"state": "open", "state_reason": "reopened", "closed_at": None, "closed_by": None}
        self.edit(repo, number, duplicate_of=None, **opened)

    def lock_issue(self, repo: str, number: int) -> None:
        """Let only those comment who may push."""
        self.edit(repo, number, locked=True)

    def rename_label(self, repo: str, old: str, new: str) -> None:
        """Rename a label of the repository, on all of its issues."""
        with self.lock:
            found = self.repo(repo)
            label = found.labels.pop(old.lower())
            found.labels[new.lower()] = label | {"name": new}
            for issue in found.issues.values():
                issue.labels = [new if name.lower() == old.lower() else name for name in issue.labels]

    def remove_label(self, repo: str, number: int, name: str) -> None:
        """Take a label off one issue."""
        kept = [label for label in self.repo(repo).issues[number].labels if label.lower() != name.lower()]
        self.edit(repo, number, labels=kept)

    def add_file(self, repo: str, path: str, text: str, ref: str | None = None) -> None:
        """Put a file into the repository; without `ref` it is there at every commit."""
        self.repo(repo).files[path, ref] = text

    def delete(self, repo: str, number: int) -> None:
        self.edit(repo, number, deleted=True)

    def transfer(self, repo: str, number: int, to: str) -> int:
        """Move an issue to another repository and return its number there."""
        with self.lock:
            old, target = self.repo(repo).issues[number], self.repo(to)
            known = [name for name in old.labels if name.lower() in target.labels]
            same = {name: getattr(old, name) for name in ("author", "state", "state_reason", "closed_at", "closed_by")}
            new = self.add_issue(to, old.title, old.body or "", labels=known, **same)
            new.comments = old.comments
            old.moved_to = (target.id, new.number)
            return new.number

    def rename(self, repo: str, to: str) -> None:
        with self.lock:
            found = self.repo(repo)
            self._renamed[found.full_name.lower()] = found.id
            found.full_name = to

    # Faults

    def fault(self, match, kind, when="before", *, times=1, seconds=None, headers=None) -> None:
        """Let the next `times` requests go wrong.

        Args:
            match: A pattern for ``METHOD /path`` without the query, as ``POST */issues``.
            kind: A status from 400 on, or ``drop`` (connection closed without reply), ``cut`` (closed in the
                middle of the reply), ``truncate`` (a whole reply that holds half of the JSON), ``hang`` (no
                answer for `seconds`), ``html`` (a proxy's page), ``secondary`` (with Retry-After if
                `seconds`), ``primary`` (no requests left, for `seconds`).
            when: ``before`` the server acts, or ``after`` it did.
            times: How often; ``math.inf`` until `heal`.
            seconds: See `kind`.
            headers: More headers of the reply, such as Retry-After.
        """
        assert when in ("before", "after"), when
        fault = Fault(match, str(kind), when, times, seconds, dict(headers or {}))
        fault.reply(0.0, None)  # an unknown kind fails here, not in the server's thread
        with self.lock:
            self._faults.append(fault)

    def heal(self) -> None:
        with self.lock:
            self._faults.clear()

    # Between the wire and the rules

    def answer(self, call: Call) -> Reply:
        """Return what goes out for `call`, faults included, and record it."""
        if self._is_gone("arrived", call):
            return Reply(0, wire="drop")
        with self.lock:
            reply = self._answer(call)
        if self._is_gone("answered", call):
            reply.wire = "drop"
        with self.lock:
            self._note_manners(call, reply)
        return reply

    def _is_gone(self, when: str, call: Call) -> bool:
        return bool(self.on_request and self.on_request(when, call))

    def _answer(self, call: Call) -> Reply:
        self._judge_manners(call)
        fault = self._take_fault(f"{call.method} {call.path}")
        acted = None if fault and fault.when == "before" else self.rest.answer(call)
        reply = fault.reply(self.clock(), acted) if fault else acted
        status = reply.status if reply.arrives else 0
        self.requests.append(Request(call.at, call.method, call.target, call.body, status))
        if call.writes:
            self._written_at[call.secret] = self.clock()
        return reply

    def _judge_manners(self, call: Call) -> None:
        """Write down whether the request came too early."""
        line = f"{call.method} {call.target}"
        early = self.wait_until.get(call.secret, 0.0) - call.at
        if early > self.tolerance_seconds:
            found = self.violations if call.writes else self.impatient_reads
            found.append(f"{line}: {early:.2f} s before the end of the time that GitHub asked for")
        gap = call.at - self._written_at.get(call.secret, -math.inf)
        if call.writes and gap < self.write_gap_seconds - self.tolerance_seconds:
            self.hasty.append(f"{line}: {gap:.2f} s after the last write was answered")

    def _note_manners(self, call: Call, reply: Reply) -> None:
        """Remember how long the client of `call` was told to wait."""
        until = reply.wait_until(self.clock(), self.pause_seconds)
        self.wait_until[call.secret] = max(until, self.wait_until.get(call.secret, 0.0))

    def _take_fault(self, line: str) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and fnmatch.fnmatchcase(line, fault.match):
                fault.times -= 1
                return fault
        return None

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def by_id(self, number: int) -> Repository | None:
        return self._repos.get(number)

    def by_name(self, full_name: str) -> tuple[Repository | None, bool]:
        """Return a repository and whether the name is an old one of it."""
        for repo in self._repos.values():
            if repo.full_name.lower() == full_name.lower():
                return repo, False
        return self._repos.get(self._renamed.get(full_name.lower(), 0)), True


class Route(NamedTuple):
    method: str
    pattern: re.Pattern[str]
    function: Any
    query: TypeAdapter
    body: TypeAdapter | None
    needs: str


ROUTES: list[Route] = []


def route(line, operation=None, body=None, needs="metadata=read"):
    """Register a method of `_Rest` for ``METHOD path``; `operation`, githubkit's, knows the query's names.

    In the path ``<name>`` stands for one part of it, and ``<*name>`` for all that follows.
    """

    def register(function):
        method, path = line.split(" ")
        path = re.sub(r"<\*(\w+)>", r"(?P<\1>.+)", path.replace(".", r"\."))
        pattern = re.compile(re.sub(r"/<(\w+)>", r"/(?P<\1>[^/]+)", path))
        ROUTES.append(Route(method, pattern, function, _query(operation), body and TypeAdapter(body), needs))
        return function

    return register


def _query(operation) -> TypeAdapter:
    """Return a validator of query strings, made from the signature of githubkit's method."""
    names = {"_dt": dt, "Union": typing.Union}
    own = {
        name: (eval(parameter.annotation, {**operation.__globals__, **names}), None)
        for name, parameter in (inspect.signature(operation).parameters if operation else {}).items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in ("headers", "stream", "data")
    }
    return TypeAdapter(create_model("Query", __config__=ConfigDict(extra="forbid"), **own))


def filled(model, **given) -> dict[str, Any]:
    """Return `given` with every other field that the description requires; refuse what it does not know."""
    fields = {spec.alias or name: spec for name, spec in model.model_fields.items()}
    assert given.keys() <= fields.keys(), given.keys() - fields.keys()
    blank = {int: 0, bool: False, str: ""}
    missing = {key: spec for key, spec in fields.items() if spec.is_required() and key not in given}
    made = {
        key: f"{given['url']}/{key.removesuffix('_url')}" if key.endswith("_url") else blank.get(spec.annotation)
        for key, spec in missing.items()
    }
    return given | made


def stamp(at: float | None) -> str | None:
    """Return epoch seconds as GitHub writes times."""
    return None if at is None else dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


LABELS_BODY = (
    m.ReposOwnerRepoIssuesIssueNumberLabelsPostBodyOneof0
    | list[str]
    | list[m.ReposOwnerRepoIssuesIssueNumberLabelsPostBodyOneof2Items]
)


class _Rest:
    """GitHub's rules: from a `Call` to a `Reply`. Every method runs under the fake's lock."""

    def __init__(self, fake: FakeGitHub) -> None:
        self.fake = fake
        self._spent: dict[str, list[float]] = {}  # times of the requests of this hour, by token
        self._points: dict[str, list[tuple[float, int]]] = {}
        self._created: dict[str, list[float]] = {}
        self.active = 0

    def answer(self, call: Call) -> Reply:
        if call.target == "/_state":
            return Reply(200, self.fake.state())
        key, etag = call.headers.get("Authorization", ""), call.headers.get("If-None-Match")
        try:
            reply = self._answer(call, key)
        except ApiError as refusal:
            reply = refusal.reply
            if refusal.blame:
                self.fake.violations.append(f"{call.method} {call.target}: {refusal.blame}")
        if call.method == "GET" and reply.status == 200:
            reply.headers["ETag"] = f'W/"{hashlib.sha256(key.encode() + reply.payload()).hexdigest()}"'
            if etag == reply.headers["ETag"]:
                if call.token and self._path(call) != "/rate_limit":  # of the primary limit; the others count it
                    self._spent[key].pop()
                reply.status, reply.json = 304, None
        return self._with_headers(reply, key, call)

    def _answer(self, call: Call, key: str) -> Reply:
        self._check_headers(call)
        call.token = self._authenticate(key)
        path = self._path(call)
        if path != "/rate_limit":
            self._spend(call, key)
        rest = self._find_repo(call, path)
        found, arguments = self._find_route(call, rest)
        call.needs = found.needs
        self._permit(call)
        call.query = self._checked_query(call, found)
        call.body = self._checked_body(call, found)
        return found.function(self, call, **arguments)

    # The checks, in GitHub's order

    def _path(self, call: Call) -> str:
        if not call.path.startswith(self.fake.prefix):
            raise ApiError(404, "Not Found", blame=f"outside of {self.fake.prefix}")
        return call.path.removeprefix(self.fake.prefix) or "/"

    def _check_headers(self, call: Call) -> None:
        if not call.headers.get("User-Agent"):
            text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent"
            raise ApiError(403, f"{text} header", blame="no User-Agent")
        version = call.headers.get("X-GitHub-Api-Version", VERSION)
        if version != VERSION:
            raise ApiError(400, f"The API version {version} is not supported.", blame=f"API version {version}")

    def _authenticate(self, key: str) -> Token | None:
        scheme, _, secret = key.partition(" ")
        if key and (scheme.lower() not in ("bearer", "token") or secret not in self.fake.tokens):
            raise ApiError(401, "Bad credentials")
        return self.fake.tokens[secret] if key else None

    def _spend(self, call: Call, key: str) -> None:
        now, limits = self.fake.clock(), self.fake.limits
        spent = self._spent.setdefault(key, [])
        if spent and spent[0] + 3_600 <= now:
            spent.clear()
        if len(spent) >= self._limit(key):
            raise ApiError(403, "API rate limit exceeded for user ID 1.")
        spent.append(now)
        points = self._points.setdefault(key, [])
        points[:] = [(at, cost) for at, cost in points if at > now - 60]
        points.append((now, 1 if call.method == "GET" else 5))
        if sum(cost for _, cost in points) > limits.points_per_minute or self.active > limits.concurrent:
            raise self._secondary()

    def _limit(self, key: str) -> int:
        return self.fake.limits.requests_per_hour if key else self.fake.limits.anonymous_per_hour

    def _secondary(self) -> ApiError:
        wait = self.fake.limits.retry_after
        return ApiError(403, SECONDARY, headers=None if wait is None else {"Retry-After": str(wait)})

    def _find_repo(self, call: Call, path: str) -> str:
        """Set the call's repository and return the path with ``{repo}`` in its place."""
        named = re.fullmatch(r"/repos/([^/]+)/([^/]+)(/.*)?", path)
        by_id = re.fullmatch(r"/repositories/(\d+)(/.*)?", path)
        if named:
            repo, old = self.fake.by_name(f"{unquote(named[1])}/{unquote(named[2])}")
        elif by_id:
            repo, old = self.fake.by_id(int(by_id[1])), False
        else:
            return path
        rest = (named or by_id).groups()[-1] or ""
        if repo is None or not self._may_see(call.token, repo):
            raise ApiError(404, "Not Found")
        if old:
            raise self._moved(call, f"/repositories/{repo.id}{rest}")
        call.repo = repo
        return "{repo}" + rest

    def _may_see(self, token: Token | None, repo: Repository) -> bool:
        return not repo.private or (token is not None and bool({"*", repo.full_name} & set(token.repos)))

    def _moved(self, call: Call, path: str) -> ApiError:
        query = urlsplit(call.target).query
        location = f"{self.fake.url}{path}" + (f"?{query}" if query else "")
        refusal = ApiError(301 if call.method == "GET" else 307, "Moved Permanently", headers={"Location": location})
        refusal.reply.json["url"] = location
        return refusal

    def _find_route(self, call: Call, path: str) -> tuple[Route, dict[str, str]]:
        for found in ROUTES:
            match = found.pattern.fullmatch(path) if found.method == call.method else None
            if match:
                return found, {name: unquote(value) for name, value in match.groupdict().items()}
        raise ApiError(404, "Not Found", blame="there is no such route, or the fake has not got it")

    def _permit(self, call: Call) -> None:
        if not call.needs.endswith("=write"):
            if call.needs == "issues=read" and call.repo.private and not call.token.issues:
                raise ApiError(403, "Resource not accessible by personal access token")
            return
        if call.token is None:
            raise ApiError(401, "Requires authentication")
        if call.repo.archived:
            raise ApiError(403, "Repository was archived so is read-only.")
        if call.token.issues != "write":
            raise ApiError(403, "Resource not accessible by personal access token")

    def _checked_query(self, call: Call, found: Route) -> Any:
        pairs = parse_qsl(urlsplit(call.target).query, keep_blank_values=True)
        if len(dict(pairs)) < len(pairs):
            raise ApiError(422, "Validation Failed", blame="the same query parameter twice")
        try:
            return found.query.validate_python(dict(pairs))
        except ValidationError as error:
            raise ApiError(422, "Validation Failed", blame=f"query: {_first(error)}") from None

    def _checked_body(self, call: Call, found: Route) -> Any:
        if found.body is None:
            if call.raw:
                self.fake.violations.append(f"{call.method} {call.target}: a body where none belongs")
            return None
        body = _parsed(call.raw)
        call.body = body
        try:
            known = found.body.dump_python(
                found.body.validate_python(body, strict=True), by_alias=True, exclude_unset=True
            )
        except ValidationError as error:
            reason = _first(error)
            raise ApiError(422, f"Invalid request.\n\n{reason}", blame=f"body: {reason}") from None
        if known != body:
            reason = f"{json.dumps(body)[:200]} has a field that is not a permitted key."
            raise ApiError(422, f"Invalid request.\n\n{reason}", blame=f"body: {reason}")
        return body

    def _count_creation(self, call: Call) -> None:
        now, limits = self.fake.clock(), self.fake.limits
        made = self._created.setdefault(call.headers.get("Authorization", ""), [])
        made[:] = [at for at in made if at > now - 3_600]
        last_minute = sum(at > now - 60 for at in made)
        if last_minute >= limits.creations_per_minute or len(made) >= limits.creations_per_hour:
            raise self._secondary()
        made.append(now)

    def _with_headers(self, reply: Reply, key: str, call: Call) -> Reply:
        rate = self._rate(key)
        if call.needs:
            reply.headers.setdefault("X-Accepted-GitHub-Permissions", call.needs)
        reply.headers.setdefault("X-GitHub-Media-Type", "github.v3; format=json")
        for name in ("limit", "remaining", "reset", "used"):
            reply.headers.setdefault(f"X-RateLimit-{name.title()}", str(rate[name]))
        reply.headers.setdefault("X-RateLimit-Resource", "core")
        return reply

    def _rate(self, key: str) -> dict[str, int]:
        spent, limit = self._spent.get(key, []), self._limit(key)
        reset = int((spent[0] if spent else self.fake.clock()) + 3_600)
        return {"limit": limit, "remaining": max(limit - len(spent), 0), "reset": reset, "used": len(spent)}

    # How GitHub shows things

    def user(self, login: str, model=m.SimpleUser, **more) -> dict[str, Any]:
        number = int(hashlib.sha256(login.encode()).hexdigest()[:6], 16)
        kind = "Bot" if login.endswith("[bot]") else "User"
        url = f"{self.fake.url}/users/{login}"
        return filled(model, login=login, id=number, node_id=f"U_{number}", url=url, type=kind, **more)

    def label(self, repo: Repository, label: dict[str, Any], model=m.Label) -> dict[str, Any]:
        url = f"{self.fake.url}/repos/{repo.full_name}/labels/{label['name']}"
        return filled(model, node_id=f"LA_{label['id']}", url=url, default=False, **label)

    def issue(self, repo: Repository, issue: Issue) -> dict[str, Any]:
        url = f"{self.fake.url}/repos/{repo.full_name}/issues/{issue.number}"
        page = f"{self.fake.web_url}/{repo.full_name}/issues/{issue.number}"
        people = [self.user(login) for login in issue.assignees]
        labels = [repo.labels[name.lower()] for name in issue.labels]
        pull = {"pull_request": filled(m.IssuePropPullRequest, url=url, html_url=page)}
        return filled(
            m.Issue,
            id=issue.id,
            node_id=f"I_{issue.id}",
            url=url,
            repository_url=f"{self.fake.url}/repos/{repo.full_name}",
            html_url=page,
            number=issue.number,
            title=issue.title,
            body=issue.body,
            user=self.user(issue.author),
            author_association="NONE",
            labels=[self.label(repo, label, m.IssuePropLabelsItemsOneof1) for label in labels],
            state=issue.state,
            state_reason=issue.state_reason,
            assignee=people[0] if people else None,
            assignees=people,
            locked=issue.locked,
            comments=len(issue.comments),
            created_at=stamp(issue.created_at),
            updated_at=stamp(issue.updated_at),
            closed_at=stamp(issue.closed_at),
            **(pull if issue.pull_request else {}),
        )

    def whole_issue(self, repo: Repository, issue: Issue) -> dict[str, Any]:
        """Return an issue as it is shown alone: a list does not say who closed it."""
        return self.issue(repo, issue) | {"closed_by": issue.closed_by and self.user(issue.closed_by)}

    def comment(self, repo: Repository, issue: Issue, comment: Comment) -> dict[str, Any]:
        base = f"{self.fake.url}/repos/{repo.full_name}/issues"
        page = f"{self.fake.web_url}/{repo.full_name}/issues/{issue.number}#issuecomment-{comment.id}"
        return filled(
            m.IssueComment,
            id=comment.id,
            node_id=f"IC_{comment.id}",
            url=f"{base}/comments/{comment.id}",
            html_url=page,
            issue_url=f"{base}/{issue.number}",
            body=comment.body,
            user=self.user(comment.author),
            author_association="NONE",
            created_at=stamp(comment.at),
            updated_at=stamp(comment.at),
        )

    # The routes

    @route("GET /")
    def _root(self, call: Call) -> Reply:
        return Reply(200, filled(m.Root, **{k: self.fake.url for k in m.Root.model_fields if k.endswith("_url")}))

    @route("GET /meta")
    def _meta(self, call: Call) -> Reply:
        return Reply(200, filled(m.ApiOverview))

    @route("GET /rate_limit")
    def _rate_limit(self, call: Call) -> Reply:
        rate = self._rate(call.headers.get("Authorization", ""))
        search = {"limit": 30, "remaining": 30, "reset": rate["reset"], "used": 0}
        return Reply(200, {"resources": {"core": rate, "search": search}, "rate": rate})

    @route("GET /user")
    def _user(self, call: Call) -> Reply:
        if call.token is None:
            raise ApiError(401, "Requires authentication")
        born = stamp(0)
        return Reply(200, self.user(call.token.login, m.PublicUser, created_at=born, updated_at=born))

    @route("GET {repo}")
    def _repository(self, call: Call) -> Reply:
        repo, at = call.repo, stamp(call.repo.created_at)
        owner, _, name = repo.full_name.partition("/")
        push = bool(call.token and call.token.push)
        given = {
            "id": repo.id,
            "node_id": f"R_{repo.id}",
            "name": name,
            "full_name": repo.full_name,
            "owner": self.user(owner),
            "private": repo.private,
            "url": f"{self.fake.url}/repos/{repo.full_name}",
            "html_url": f"{self.fake.web_url}/{repo.full_name}",
            "default_branch": "main",
            "has_issues": repo.has_issues,
            "archived": repo.archived,
            "permissions": {"admin": False, "push": push, "pull": True},
        }
        dates = {"created_at": at, "updated_at": at, "pushed_at": at}
        return Reply(200, filled(m.FullRepository, **given, **dates))

    @route("GET {repo}/contents/<*path>", ReposClient.get_content, needs="contents=read")
    def _contents(self, call: Call, path: str) -> Reply:
        repo, ref = call.repo, call.query.ref or None
        text = repo.files.get((path, ref), repo.files.get((path, None)))
        if repo.private and not call.token.contents:
            raise ApiError(403, "Resource not accessible by personal access token")
        if text is None:
            raise ApiError(404, "Not Found")
        raw = text.encode()
        small = len(raw) <= MAX_CONTENT
        url = f"{self.fake.url}/repos/{repo.full_name}/contents/{path}?ref={ref or 'main'}"
        sha = hashlib.sha1(b"blob %d\0%s" % (len(raw), raw)).hexdigest()
        given = {
            "type": "file",
            "encoding": "base64" if small else "none",
            "size": len(raw),
            "name": path.rpartition("/")[2],
            "path": path,
            "content": base64.encodebytes(raw).decode() if small else "",
            "sha": sha,
            "url": url,
            "_links": {"self": url, "git": None, "html": None},
        }
        return Reply(200, filled(m.ContentFile, **given))

    @route("GET {repo}/assignees/<login>", IssuesClient.check_user_can_be_assigned)
    def _assignee(self, call: Call, login: str) -> Reply:
        if login.lower() not in self._assignable(call.repo):
            raise ApiError(404, "Not Found")
        return Reply(204)

    def _assignable(self, repo: Repository) -> set[str]:
        return {login.lower() for login in (repo.full_name.partition("/")[0], *repo.assignable)}

    @route("GET {repo}/labels", IssuesClient.list_labels_for_repo)
    def _labels(self, call: Call) -> Reply:
        return self._page(call, [self.label(call.repo, label) for label in call.repo.labels.values()])

    @route("POST {repo}/labels", IssuesClient.create_label, m.ReposOwnerRepoLabelsPostBody, needs="issues=write")
    def _create_label(self, call: Call) -> Reply:
        self._must_push(call)
        body = call.body
        if body["name"].lower() in call.repo.labels:
            raise invalid("name", code="already_exists", resource="Label")
        if not re.fullmatch(r"[0-9a-fA-F]{6}", body.get("color") or "ededed"):
            raise invalid("color", code="invalid", resource="Label", blame="a colour is six hex digits")
        if len(body.get("description") or "") > 100:
            text = "description is too long (maximum is 100 characters)"
            raise invalid("description", text, resource="Label", blame=text)
        return Reply(201, self.label(call.repo, self._make_label(call.repo, **body)))

    def _must_push(self, call: Call) -> None:
        if not call.token.push:
            raise ApiError(403, "Must have admin rights to Repository.")

    def _make_label(self, repo: Repository, name: str, **more: Any) -> dict[str, Any]:
        self._check_label(name)
        return self.fake.add_label(repo.full_name, name, **more)

    def _check_label(self, name: str) -> None:
        if not name.strip() or len(name) > MAX_LABEL:
            text = f"name is too long (maximum is {MAX_LABEL} characters)"
            raise invalid("name", text, resource="Label", blame=f"label {name!r}")

    @route("GET {repo}/issues", IssuesClient.list_for_repo, needs="issues=read")
    def _list(self, call: Call) -> Reply:
        repo, query = call.repo, call.query
        self._must_have_issues(repo)
        wanted = {name.strip().lower() for name in (query.labels or "").split(",") if name.strip()}
        states = {"all": ("open", "closed")}.get(query.state, (query.state or "open",))
        since = query.since.timestamp() if query.since else 0.0
        found = [
            issue
            for issue in repo.issues.values()
            if not (issue.deleted or issue.moved_to)
            and issue.state in states
            and wanted <= {name.lower() for name in issue.labels}
            and int(issue.updated_at) >= since
            and (not query.creator or issue.author.lower() == query.creator.lower())
            and issue.created_at + self.fake.list_lag_seconds <= self.fake.clock()
        ]
        keys = {
            "updated": lambda i: (i.updated_at, i.number),
            "comments": lambda i: (len(i.comments), i.number),
        }
        default = lambda i: (i.created_at, i.number)  # noqa: E731 - one of three keys
        found.sort(key=keys.get(query.sort, default), reverse=query.direction != "asc")
        return self._page(call, found, lambda issue: self.issue(repo, issue))

    def _page(self, call: Call, rows: list[Any], show=lambda row: row) -> Reply:
        """Return one page; the links go by the repository's number, as GitHub's do: nobody can guess them."""
        size = min(max(call.query.per_page or 30, 1), MAX_PAGE)
        if (call.query.per_page or 0) > MAX_PAGE:
            self.fake.violations.append(f"{call.method} {call.target}: a page holds {MAX_PAGE} at most")
        page, last = max(call.query.page or 1, 1), max(-(-len(rows) // size), 1)
        by_id = f"/repositories/{call.repo.id}"
        rest = re.sub(r"^/(repos/[^/]+/[^/]+|repositories/\d+)", by_id, self._path(call))
        query = [part for part in urlsplit(call.target).query.split("&") if part and not part.startswith("page=")]
        links = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        wanted = [*(["prev", "first"] if page > 1 else []), *(["next", "last"] if page < last else [])]
        link = ", ".join(
            f'<{self.fake.url}{rest}?{"&".join([*query, f"page={links[name]}"])}>; rel="{name}"' for name in wanted
        )
        shown = [show(row) for row in rows[(page - 1) * size : page * size]]
        return Reply(200, shown, {"Link": link} if link else {})

    def _must_have_issues(self, repo: Repository) -> None:
        if not repo.has_issues:
            raise ApiError(410, "Issues are disabled for this repo")

    @route("POST {repo}/issues", IssuesClient.create, m.ReposOwnerRepoIssuesPostBody, needs="issues=write")
    def _create(self, call: Call) -> Reply:
        self._must_have_issues(call.repo)
        self._check_texts(call.body)
        self._count_creation(call)
        people, labels = self._people(call), self._label_names(call)
        title, body = str(call.body["title"]), call.body.get("body")
        issue = self.fake.add_issue(call.repo.full_name, title, author=call.token.login)
        issue.body, issue.labels, issue.assignees = body, labels or [], people or []
        shown = self.whole_issue(call.repo, issue)
        return Reply(201, shown, {"Location": shown["url"]})

    def _check_texts(self, body: dict[str, Any]) -> None:
        if "title" in body and not str(body["title"] or "").strip():
            raise invalid("title", code="missing_field", blame="a blank title")
        for name, most in (("title", MAX_TITLE), ("body", MAX_BODY)):
            if len(str(body.get(name) or "")) > most:
                text = f"{name} is too long (maximum is {most} characters)"
                raise invalid(name, text, blame=text)

    def _people(self, call: Call) -> list[str] | None:
        """Return who is to be assigned, or None where nothing is said or the token may not say it."""
        single = [call.body["assignee"]] if call.body.get("assignee") else None
        wanted = call.body.get("assignees", single)
        if wanted is None or not call.token.push:
            return None
        unknown = [login for login in wanted if login.lower() not in self._assignable(call.repo)]
        if unknown:
            raise invalid("assignees", code="invalid")
        return list(dict.fromkeys(wanted))

    def _label_names(self, call: Call) -> list[str] | None:
        """Return the labels as they are spelled in the repository, made on the way; None as in `_people`."""
        wanted = call.body.get("labels")
        if wanted is None or not call.token.push:
            return None
        names = [one if isinstance(one, str) else one.get("name") or "" for one in wanted]
        if len({name.lower() for name in names}) > MAX_LABELS:
            raise invalid("labels", f"only {MAX_LABELS} labels are allowed", blame="too many labels")
        for name in names:
            self._check_label(name)
        return list(dict.fromkeys(self._make_label(call.repo, name)["name"] for name in names))

    def _issue(self, call: Call, number: str) -> Issue:
        issue = call.repo.issues.get(int(number)) if number.isdecimal() else None
        if issue is None:
            raise ApiError(404, "Not Found")
        if issue.deleted:
            raise ApiError(410, "This issue was deleted")
        if issue.moved_to:
            if not self._may_see(call.token, self.fake.by_id(issue.moved_to[0])):
                raise ApiError(404, "Not Found")
            rest = re.sub(r"^.*?/issues/\d+", "", self._path(call))
            raise self._moved(call, "/repositories/{}/issues/{}".format(*issue.moved_to) + rest)
        return issue

    @route("GET {repo}/issues/<number>", IssuesClient.get, needs="issues=read")
    def _show(self, call: Call, number: str) -> Reply:
        return Reply(200, self.whole_issue(call.repo, self._issue(call, number)))

    @route(
        "PATCH {repo}/issues/<number>",
        IssuesClient.update,
        m.ReposOwnerRepoIssuesIssueNumberPatchBody,
        needs="issues=write",
    )
    def _edit(self, call: Call, number: str) -> Reply:
        issue, body = self._issue(call, number), call.body
        if not call.token.push and issue.author != call.token.login:
            raise ApiError(403, "Must have admin rights to Repository.")
        self._check_texts(body)
        original = self._original(call, issue)
        people, labels = self._people(call), self._label_names(call)
        issue.assignees = issue.assignees if people is None else people
        issue.labels = issue.labels if labels is None else labels
        issue.title = str(body.get("title") or issue.title)
        issue.body = body.get("body", issue.body)
        self._change_state(call, issue, original)
        issue.updated_at = self.fake.clock()
        return Reply(200, self.whole_issue(call.repo, issue))

    def _original(self, call: Call, issue: Issue) -> int | None:
        """Return the id of the issue that this one is to be closed as a duplicate of; refuse impossible reasons.

        It is an id, not a number: GitHub would take a number for the id of some other issue.
        """
        body = call.body
        if issue.state == "closed" or body.get("state") != "closed":
            return None
        if body.get("state_reason") == "reopened":
            raise invalid("state_reason", code="invalid", blame="closed because of 'reopened'")
        wanted = body.get("duplicate_issue_id")
        if body.get("state_reason") != "duplicate" or wanted is None:
            return None
        if not any(one.id == wanted and one is not issue and not one.deleted for one in call.repo.issues.values()):
            raise invalid("duplicate_issue_id", code="invalid", blame=f"{wanted} is no id of another issue here")
        return wanted

    def _change_state(self, call: Call, issue: Issue, original: int | None) -> None:
        """Change the state; a reason without a change of the state is ignored, as GitHub does."""
        state = call.body.get("state") or issue.state
        if state == issue.state:
            return
        closed = state == "closed"
        issue.state = state
        issue.state_reason = (call.body.get("state_reason") or "completed") if closed else "reopened"
        issue.closed_at = self.fake.clock() if closed else None
        issue.closed_by = call.token.login if closed else None
        issue.duplicate_of = original

    @route("GET {repo}/issues/<number>/comments", IssuesClient.list_comments, needs="issues=read")
    def _comments(self, call: Call, number: str) -> Reply:
        issue = self._issue(call, number)
        since = call.query.since.timestamp() if call.query.since else 0.0
        found = [comment for comment in issue.comments if int(comment.at) >= since]
        return self._page(call, found, lambda comment: self.comment(call.repo, issue, comment))

    @route(
        "POST {repo}/issues/<number>/comments",
        IssuesClient.create_comment,
        m.ReposOwnerRepoIssuesIssueNumberCommentsPostBody,
        needs="issues=write",
    )
    def _add_comment(self, call: Call, number: str) -> Reply:
        issue = self._issue(call, number)
        if issue.locked and not call.token.push:
            raise ApiError(403, "Unable to create comment because issue is locked.")
        if len(issue.comments) >= MAX_COMMENTS:
            raise ApiError(403, f"Commenting is disabled on issues with more than {MAX_COMMENTS} comments")
        if not call.body["body"].strip():
            raise invalid("body", code="missing_field", resource="IssueComment", blame="a blank comment")
        self._check_texts(call.body)
        self._count_creation(call)
        made = self.fake.add_comment(call.repo.full_name, issue.number, call.body["body"], call.token.login)
        return Reply(201, self.comment(call.repo, issue, made))

    @route("GET {repo}/issues/<number>/labels", IssuesClient.list_labels_on_issue, needs="issues=read")
    def _issue_labels(self, call: Call, number: str) -> Reply:
        issue = self._issue(call, number)
        return self._page(call, self._shown_labels(call.repo, issue))

    def _shown_labels(self, repo: Repository, issue: Issue) -> list[dict[str, Any]]:
        return [self.label(repo, repo.labels[name.lower()]) for name in issue.labels]

    @route("POST {repo}/issues/<number>/labels", IssuesClient.add_labels, LABELS_BODY, needs="issues=write")
    def _add_labels(self, call: Call, number: str) -> Reply:
        self._must_push(call)
        issue = self._issue(call, number)
        wanted = call.body["labels"] if isinstance(call.body, dict) else call.body
        call.body = {"labels": [*issue.labels, *wanted]}
        issue.labels = self._label_names(call)
        issue.updated_at = self.fake.clock()
        return Reply(200, self._shown_labels(call.repo, issue))

    @route("DELETE {repo}/issues/<number>/labels/<name>", IssuesClient.remove_label, needs="issues=write")
    def _remove_label(self, call: Call, number: str, name: str) -> Reply:
        self._must_push(call)
        issue = self._issue(call, number)
        kept = [label for label in issue.labels if label.lower() != name.lower()]
        if len(kept) == len(issue.labels):
            raise ApiError(404, "Label does not exist")
        issue.labels, issue.updated_at = kept, self.fake.clock()
        return Reply(200, self._shown_labels(call.repo, issue))


def _parsed(raw: bytes) -> Any:
    """Return the JSON of a body; what is not Unicode is no JSON for GitHub."""
    try:
        body = json.loads(raw.decode())
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ApiError(400, "Problems parsing JSON", blame=f"no JSON: {raw[:80]!r}") from None
    return body


def _first(error: ValidationError) -> str:
    """Return the first complaint that says something (not "or it could have been left out")."""
    told = [one for one in error.errors() if "UNSET" not in str(one["loc"])] or error.errors()
    return f"{'.'.join(str(part) for part in told[0]['loc'])}: {told[0]['msg']}"


class _Server(ThreadingHTTPServer):
    """The listening socket; it knows its connections, so that it can end them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, fake: FakeGitHub, port: int) -> None:
        self.fake = fake
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Http)

    def process_request(self, request, client_address) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        """Keep quiet about clients that went away; anything else is a fault of the fake, and is told."""
        import sys
        import traceback

        if not isinstance(sys.exc_info()[1], OSError):
            self.fake.violations.append(f"the fake itself failed: {traceback.format_exc()}")

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the loop, which would look only at its next interval
        self.shutdown()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Http(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _serve(self) -> None:
        fake = self.server.fake
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if len(raw) < length:  # the process that asked was killed in the midst: that was no request
            self.close_connection = True
            return
        call = Call(self.command, self.path, self.headers, raw, fake.clock(), _shown(raw))
        rest = fake.rest
        with fake.lock:
            rest.active += 1
        try:
            self._send(fake.answer(call))
        finally:
            with fake.lock:
                rest.active -= 1

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _send(self, reply: Reply) -> None:
        if reply.wire == "hang":
            self.server.fake.stopping.wait(reply.seconds)
        if reply.wire in ("hang", "drop"):
            self.close_connection = True
            return
        payload = reply.payload()
        cut = payload[: len(payload) // 2]
        self.send_response(reply.status)
        for name, value in ({"Content-Type": "application/json; charset=utf-8"} | reply.headers).items():
            self.send_header(name, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Length", str(len(cut if reply.wire == "half" else payload)))
        self.end_headers()
        self.wfile.write(payload if reply.wire == "whole" else cut)
        self.wfile.flush()
        self.close_connection = self.close_connection or reply.wire == "cut"

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.fake.clock() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, *args: object) -> None:
        pass


def _shown(raw: bytes) -> Any:
    """Return a body for the list of requests: as JSON if it is any."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")


def main() -> None:
    """Serve until the process ends; a child process of a test, or a person, uses it."""
    parser = argparse.ArgumentParser(description="A stand-in for api.github.com on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--repo", action="append", help="may be given more than once (example/app)")
    parser.add_argument("--token", default="fake-token")
    options = parser.parse_args()
    fake = FakeGitHub(*(options.repo or ["example/app"]), port=options.port)
    fake.tokens = {options.token: Token()}
    with fake:
        print(fake.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
