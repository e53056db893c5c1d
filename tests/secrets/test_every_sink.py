"""Nothing that loghub writes, sends, prints or raises holds a secret: each kind goes through every sink."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.config
import os
import random
import threading
import time
from pathlib import Path
from traceback import TracebackException

import pytest
from click.testing import CliRunner

from loghub import breadcrumbs, filters, notice, own_log
from loghub.cli import main
from loghub.delivery import deliverer
from loghub.errors import LoghubError
from loghub.event import dumps
from loghub.github.client import GitHubClient
from loghub.handlers.github import GitHubIssueHandler
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.seeds import error_reporter
from loghub.web import create_app
from tests.channels import Told
from tests.clock import Clock
from tests.configurations import everything
from tests.fakes.github import FakeGitHub
from tests.fakes.hooks import FakeHooks
from tests.fakes.smtp import FakeSMTP
from tests.secrets import pages
from tests.secrets.kinds import EACH, KINDS, PLANTED, drawn, left_in, plant

pytestmark = pytest.mark.slow

REPO = "acme/shop"
OWN = "own-Token4-" + "Zk3mPq8sVx1c"


def of_kind(kind):
    """Return the ten secrets of a kind."""
    return [one for one in PLANTED if one.kind is kind]


def charge(number, kind):
    """Fail with nine secrets of a kind in what is logged, and the tenth in the class of the error."""
    texts = [one.text for one in of_kind(kind)]
    crumb = logging.getLogger("shop.crumbs")
    crumb.info("charging Bug%d by %s", number, texts[8], extra={"detail": texts[9]})
    bug = type(f"Bug{number}", (ValueError,), {})
    try:
        try:
            raise KeyError(texts[0])
        except KeyError as cause:
            error = bug(texts[1])
            error.add_note(texts[2])
            raise error from cause
    except bug:
        logging.getLogger("shop.cart").exception(
            "charge failed: %s", texts[3],
            extra={"detail": texts[4], "deep": [{"a": (texts[5],)}], "seen": {texts[6]: 1}, "url": texts[7]},
        )  # fmt: skip


def tell(number, kind):
    """Log without an exception; the message is all there is, and two breadcrumbs: a long one and one with an object."""
    texts = [one.text for one in of_kind(kind)]
    logging.getLogger("shop.crumbs").info("long %s %s %s", "x" * 900, texts[5], "y" * 500)
    logging.getLogger("shop.crumbs").info("listed %s", [texts[6]])
    name = chr(ord("a") + number // 26) + chr(ord("a") + number % 26)  # a number would be a worker's
    logging.getLogger(f"shop.{name}").error("told %s and %s", texts[8], texts[9])


MENDED = []


def mend(event, number):
    """Keep what a procedure is given, and repeat in an error what secrets of the kind it might have seen."""
    MENDED.append(event)
    raise ValueError(of_kind(list(KINDS)[number])[0].text)


class Spoken(logging.Handler):
    """Keeps loghub's own lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


def contents(folder):
    """Return the names and bytes of all files below a folder."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            with contextlib.suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def sinks(tmp_path_factory):
    """Log every kind through all handlers, deliver, ask every verb; return what came out, by sink."""
    folder = tmp_path_factory.mktemp("sinks")
    patch = pytest.MonkeyPatch()
    patch.setenv("HOME", str(folder))
    patch.setenv("LOGHUB_HOME", str(folder / "home"))
    patch.setattr(deliverer, "by_hand", True)
    patch.setattr(filters, "find_release", lambda *_: None)
    patch.setattr(filters, "_shared", None)
    patch.setattr(error_reporter, "_default", error_reporter.ErrorReporter())
    patch.setattr(notice, "MOST_BUGS", 1000)
    spoken = Spoken()
    own = logging.getLogger("loghub")
    own.addHandler(spoken)
    own.setLevel(logging.DEBUG)
    out = {}
    clock = Clock(time.time())
    MENDED.clear()
    with FakeGitHub(REPO, clock=clock) as github, FakeSMTP() as smtp, FakeHooks() as hooks:
        github.tokens[OWN] = github.tokens[github.token]
        config = everything(folder, github=github.url, smtp=smtp.port, token=OWN, file={"scrub": True})
        config["handlers"]["github"]["issues_per_hour"] = 1000
        config["handlers"]["mail"]["capacity"] = 1000
        common = {"home": config["handlers"]["mail"]["home"], "filters": ["event"], "level": "ERROR"}
        config["handlers"]["notify"] = common | {"class": "loghub.NotifyHandler", "urls": [hooks.url()]}
        config["handlers"]["recovery"] = common | {
            "class": "loghub.RecoveryHandler",
            "procedures": [
                {"on": f"Bug{number}", "run": f"{__name__}.mend", "with": {"number": number}, "cooldown": 0}
                for number in range(len(KINDS))
            ],
        }
        config["handlers"]["crumbs"] = {"class": "loghub.BreadcrumbHandler"}
        config["root"]["handlers"] = list(config["handlers"])
        config["filters"]["event"]["include_locals"] = True
        config["loggers"] = {"loghub": {"level": "DEBUG"}}
        logging.config.dictConfig(config)
        own.addHandler(spoken)
        for number, kind in enumerate(KINDS):
            for _ in range(10):
                charge(number, kind)
            tell(number, kind)
        logging.getLogger("shop").info("the token %s is fine", OWN)
        app = create_app(
            str(folder / "home"), no_login=True, metrics_token=pages.TOKEN, reports_per_minute=10_000,
            all_reports_per_minute=10_000,
        )  # fmt: skip
        client = app.test_client()
        out["REST answers"] = pages.told(client, KINDS)
        out["journal"] = contents(folder / "home")
        out["recent breadcrumbs"] = {"": dumps(breadcrumbs.recent(breadcrumbs.MAX_RECENT))}
        quick = next(one for one in logging.getLogger().handlers if isinstance(one, GitHubIssueHandler))
        quick._client = GitHubClient(REPO, quick.token, quick.api_url, clock=clock, sleep=clock.sleep)
        quick.home.now = clock
        for number in range(200):
            clock.now += 600.0
            quick.home.round(closing=True)
            rows = quick.home.ledger().outbox()
            if number > 24 and not any(row["destination"].startswith("github:") for row in rows):
                break
        for thread in threading.enumerate():  # a procedure that still logs would open the log file again
            if thread.name == "loghub-recovery":
                thread.join(20)
        out["notice"] = {str(number): "\n".join(one) for number, one in enumerate(hooks.told)}
        out["procedure"] = {str(number): dumps(event) for number, event in enumerate(MENDED)}
        out["ledger"] = contents(folder / "home")
        out["detail file"] = contents(folder / "errors")
        out["log file"] = contents(folder / "logs")
        out["issue"] = {"state": dumps(github.state()), "sent": "\n".join(str(one) for one in github.requests)}
        out["mail"] = {
            str(number): mail.content
            + "\n".join(part.get_content() for part in mail.message.walk() if not part.is_multipart()).encode()
            + repr(mail.message.items()).encode()
            for number, mail in enumerate(smtp.mails)
        }
        out |= pages.asked(client, quick.home.ledger())
        patch.chdir(folder)
        (folder / "logging.json").write_text(json.dumps(config))
        out["command line"] = {" ".join(verb): ask(folder, *verb) for verb in verbs(folder)}
    out["loghub's own log"] = {"lines": "\n".join(spoken.lines)}
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    own.removeHandler(spoken)
    patch.undo()
    yield out
    deliverer.known_homes.clear()


def verbs(folder):
    """Return what the command line is asked."""
    whole = json.loads(ask(folder, "groups", "-n", "1000", "--json"))
    fingerprints = [one["fingerprint"] for one in whole]
    assert len(fingerprints) >= 2 * len(KINDS)
    return [
        *((*verb, *form) for verb in (("recent", "-n", "1000"), ("stats",), ("groups", "-n", "1000"), ("outbox",))
          for form in ((), ("--json",))),
        *(("show", mark, *form) for mark in fingerprints for form in ((), ("--json",))),
        *(("preview", mark) for mark in fingerprints[:200:7]),
        ("preview", "--mail"),
    ]  # fmt: skip


def ask(folder, *words):
    """Return what a verb prints, and the error that it ended with, if any."""
    done = CliRunner().invoke(main, ["--home", str(folder / "home"), *words])
    return done.output + (repr(done.exception) if done.exception else "")


def joined(held):
    """Return names and contents as bytes."""
    return b"\n".join(
        name.encode() + b"\n" + (one if isinstance(one, bytes) else one.encode()) for name, one in held.items()
    )


def left(output):
    """Return the kinds that stand in `output`."""
    return [(one.kind.name, one.text) for one in left_in(output)]


SINKS = [
    *("journal", "ledger", "detail file", "log file", "issue", "mail", "notice", "procedure", "command line"),
    *("pages", "JSON of an error", "Markdown of an error", "JSON for programs"),
    *("recent breadcrumbs", "loghub's own log", "REST answers", "health and metrics"),
]


UNLIKE_OTHERS = SINKS[-4:]  # one holds the last of them only, the others no errors


@pytest.mark.shows("secrets", "no secret")
@pytest.mark.parametrize("sink", SINKS)
def test_no_secret_comes_out(sinks, sink):
    """What a sink holds, as bytes and by name, has no secret in it, in no form and no piece."""
    raw = joined(sinks[sink])
    assert left(raw) == []
    assert OWN.encode() not in raw
    assert pages.TOKEN.encode() not in raw


@pytest.mark.shows("secrets", "nothing lost")
@pytest.mark.parametrize("sink", [sink for sink in SINKS if sink not in UNLIKE_OTHERS])
def test_every_sink_was_reached(sinks, sink):
    """Each sink holds each kind's errors, with the placeholder in them."""
    raw = "\n".join(
        name + (held.decode("utf-8", "replace") if isinstance(held, bytes) else held)
        for name, held in sinks[sink].items()
    )
    assert "Filtered" in raw
    assert [number for number in range(len(KINDS)) if f"Bug{number}" not in raw] == []
    if sink != "procedure":  # there is none for what pages report
        assert [number for number in range(len(KINDS)) if f"Page{number}" not in raw] == []


@pytest.mark.parametrize("sink", ["journal", "ledger", "detail file", "issue", "procedure", "command line"])
def test_breadcrumbs_were_there(sinks, sink):
    """Each sink that tells breadcrumbs holds those of each kind, so that their secrets could have come out."""
    raw = joined(sinks[sink]).decode("utf-8", "replace")
    assert [number for number in range(len(KINDS)) if f"charging Bug{number} by" not in raw] == []
    assert "charging Bug" in sinks["recent breadcrumbs"][""]


# Trouble of its own -----------------------------------------------------------------------------------------


@pytest.fixture
def spoken():
    """Return what loghub says meanwhile."""
    handler = Spoken()
    logging.getLogger("loghub").addHandler(handler)
    yield handler.lines
    logging.getLogger("loghub").removeHandler(handler)


@pytest.mark.shows("github hangs", "no secret")
@pytest.mark.shows("channel fails", "no secret")
@pytest.mark.parametrize("how", ["unexpected", "later", "refused"])
def test_words_of_a_failed_delivery(tmp_path, monkeypatch, spoken, how):
    """What a destination says in its error is clean in the log, in the ledger and in the list of what waits."""
    from loghub.errors import DeliveryError, RefusedError

    monkeypatch.setattr(deliverer, "by_hand", True)
    kinds = {"unexpected": RuntimeError, "later": DeliveryError, "refused": RefusedError}
    logger = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    for number, kind in enumerate(KINDS):
        text = " and ".join(one.text for one in of_kind(kind)[:3])

        def refuse(batch, text=text):
            raise kinds[how](f"the server said {text}")

        told = Told(f"list:{number}", home=str(tmp_path))
        told.on_deliver = refuse
        logger.addHandler(told)
    logger.error("no")
    for home in deliverer.homes():
        home.round()
    assert len(spoken) >= len(KINDS)
    assert left("\n".join(spoken)) == []
    waiting = dumps(
        [vars(one) if hasattr(one, "__dict__") else repr(one) for one in deliverer.homes()[0].ledger().outbox()]
    )
    assert left(waiting + ask(tmp_path.parent, "outbox", "--json", "--home", str(tmp_path))) == []
    assert left(b"".join(contents(tmp_path).values())) == []


@pytest.mark.shows("secrets", "no secret", "application unharmed")
def test_a_handler_that_fails(tmp_path, monkeypatch, capsys):
    """What logging prints about a record that could not be written holds no secret of the record or the error."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    logger = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    for one in PLANTED:
        told = Told("list:told", home=str(tmp_path))
        told.kept = lambda record, sighting, text=one.text: os.stat(f"/no/such/{text}")
        logger.handlers[:] = [told]
        logger.error("charge failed: %s", one.text, extra={"fingerprint": one.secret})
    said = capsys.readouterr().err
    assert said.count("Logging error") >= len(PLANTED)
    assert left(said) == []


@pytest.mark.shows("disk full", "no secret")
def test_a_log_file_that_cannot_be_written(tmp_path, monkeypatch, capsys):
    """The same of the log file's handler, whether it scrubs its lines or not."""
    from loghub.handlers.rotatingfile import RotatingFileHandler

    for number, kind in enumerate(KINDS):
        handler = RotatingFileHandler(tmp_path / f"{number}.log", scrub=bool(number % 2))
        monkeypatch.setattr(handler, "format", lambda record: 1 / 0)
        logger = logging.Logger("shop")  # noqa: LOG001
        logger.addHandler(handler)
        logger.error("charge failed: %s", " and ".join(one.text for one in of_kind(kind)))
        handler.close()
    said = capsys.readouterr().err
    assert said.count("ZeroDivisionError") >= len(KINDS)
    assert left(said) == []


def error_lines(error):
    """Return what Python prints of an error, without this file's lines."""
    shown = TracebackException.from_exception(error)
    waiting, lines = [shown], []
    while waiting:
        one = waiting.pop()
        lines += one.format_exception_only()
        inner = [one.__cause__, None if one.__suppress_context__ else one.__context__]
        waiting += [each for each in inner if each is not None]
    return lines


OPTIONS = {
    "repo": lambda text: GitHubIssueHandler(repo=text),
    "title": lambda text: GitHubIssueHandler(title="{" + text),
    "token of a wrong kind": lambda text: GitHubIssueHandler(token=[text]),
    "labels": lambda text: GitHubIssueHandler(labels={text: 1}),
    "api_url": lambda text: GitHubIssueHandler(api_url=text),
    "installation_id": lambda text: GitHubIssueHandler(repo=REPO, app_id=1, private_key_file="k", installation_id=text),
    "number": lambda text: GitHubIssueHandler(comment_limit=text),
    "ledger": lambda text: GitHubIssueHandler(ledger=text),
    "mailhost": lambda text: BatchingSMTPHandler(mailhost=[text], fromaddr="a@b.example", toaddrs=["c@d.example"]),
    "credentials": lambda text: BatchingSMTPHandler("m.example", "a@b.example", ["c@d.example"], credentials=text),
    "credentials of three": lambda text: BatchingSMTPHandler(
        "m.example", "a@b.example", ["c@d.example"], credentials=["a", text, "b"]
    ),
    "toaddrs": lambda text: BatchingSMTPHandler("m.example", "a@b.example", [text]),
    "secure": lambda text: BatchingSMTPHandler("m.example", "a@b.example", ["c@d.example"], secure=text),
    "before_send": lambda text: filters.EventFilter(before_send=text),
    "scrub": lambda text: filters.EventFilter(scrub=["/" + text]),
    "project_root": lambda text: filters.EventFilter(project_root=text),
    "sample_rate": lambda text: filters.EventFilter(sample_rate=text),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_refused_options(option, monkeypatch):
    """An option that is refused is shown without the secret that was put there."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    said = []
    for one in PLANTED:
        try:
            OPTIONS[option](one.text)
        except LoghubError as error:
            said.append("".join(error_lines(error)) + repr(error))
    assert said or option in {"ledger", "api_url", "title", "toaddrs", "labels"}
    assert left("\n".join(said)) == []


# Values that are known ---------------------------------------------------------------------------------------


def test_own_credentials(tmp_path, monkeypatch):
    """The credentials that handlers were given are gone from events and lines, whatever they look like."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    password = "plain and simple Words 7"
    handlers = [
        GitHubIssueHandler(repo=REPO, token=OWN, home=str(tmp_path)),
        BatchingSMTPHandler(
            "m.example", "a@b.example", ["c@d.example"], credentials=["ops", password], home=str(tmp_path)
        ),
    ]
    logger = logging.Logger("shop")  # noqa: LOG001
    for handler in handlers:
        logger.addHandler(handler)
    for secret in (OWN, password):
        logger.error("sent %s", secret)
        own_log.tell(logging.WARNING, f"sent {secret}")
    raw = b"".join(contents(tmp_path).values())
    assert raw
    assert OWN.encode() not in raw
    assert password.encode() not in raw


@pytest.mark.shows("secrets", "no secret")
@pytest.mark.parametrize("wrap", [0, 20, 76])
def test_environment(tmp_path, monkeypatch, wrap):
    """The values of secret variables are gone, also percent- or base64-encoded, or broken over lines."""
    import base64
    import textwrap
    import urllib.parse

    monkeypatch.setattr(deliverer, "by_hand", True)
    monkeypatch.setattr(filters, "_shared", None)  # it knows the environment as it was
    rng = random.Random(7)
    values = {f"SHOP_{number}_SECRET": drawn("abcXYZ0189+/=$&", 30)(rng) + "K7" for number in range(EACH)}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    told = Told("list:told", home=str(tmp_path))
    logger = logging.Logger("shop")  # noqa: LOG001
    logger.addHandler(told)
    for value in values.values():
        coded = base64.b64encode(f"user:{value}".encode()).decode()
        forms = [value, urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value), coded, json.dumps(value)]
        if wrap:
            forms = ["\n".join(textwrap.wrap(form, wrap, break_on_hyphens=False)) for form in forms]
        for form in forms:
            logger.error("saw %s there", form, extra={"fingerprint": os.urandom(4).hex()})
    raw = b"".join(contents(tmp_path).values()).decode()
    assert "[Filtered]" in raw
    for value in values.values():
        pieces = {value[at : at + 8] for at in range(len(value) - 8)}
        coded = base64.b64encode(f"user:{value}".encode()).decode()
        pieces |= {coded[at : at + 10] for at in range(8, len(coded) - 10)}
        assert [piece for piece in pieces if piece in raw] == []


def test_kinds_are_planted_anew():
    """Another seed gives others, so that nothing is tuned to these; they are found as well."""
    from loghub.scrub import Scrubber

    scrubber = Scrubber()
    for seed in range(5):
        assert [one.text for one in plant(seed=seed) if one.left_in(scrubber.text(one.text))] == []
