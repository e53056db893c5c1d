import copy
import json
import logging
import os
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from loghub.cli import VERBS, main
from loghub.delivery import deliverer
from loghub.handlers.base import OutboxHandler
from tests import processes
from tests.fakes.github import FakeGitHub
from tests.fakes.smtp import FakeSMTP


def run(*args, code=0, **env):
    """Run a verb in this process; return what it printed."""
    done = CliRunner(env=env).invoke(main, list(map(str, args)), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize(
    ("typed", "says"),
    [("group", "No such command 'group'; did you mean 'groups'?"), ("xyzzy", "No such command 'xyzzy'.")],
)
def test_misspelt_verb(typed, says):
    """A verb that is not there is answered with one that is near, if there is one."""
    assert says in run(typed, code=2)


@pytest.mark.parametrize("verb", [*sorted(VERBS), "outbox retry", "outbox discard"])
def test_help_has_an_example(verb):
    """Each verb's --help says what it does and has an example."""
    text = run(*verb.split(), "--help")
    assert "Example:" in text
    assert f"loghub {verb.split()[0]}" in text


def test_main_help_lists_verbs():
    """The main help lists each verb with a line about it."""
    text = run("--help")
    for verb in VERBS:
        line = next(line for line in text.splitlines() if line.strip().startswith(verb + " "))
        assert len(line.split()) > 2


def test_unknown_verb():
    """A verb that does not exist is misuse."""
    assert "No such command" in run("frobnicate", code=2)


def test_module():
    """python -m loghub is the same command."""
    done = subprocess.run([sys.executable, "-m", "loghub", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("loghub")


def test_groups(home):
    """groups lists the bugs with their counts, the last seen first."""
    rows = json.loads(run("groups", "--home", home, "--json"))
    assert [(row["error_type"], row["count"]) for row in rows] == [("KeyError", 3), ("ERROR", 9)]
    assert list(rows[0]) == [
        "fingerprint", "error_type", "error_message", "component", "culprit", "count",
        "first_seen_at", "last_seen_at", "status", "issue_url",
    ]  # fmt: skip
    assert rows[0]["status"] == "open"
    text = run("groups", "--home", home)
    assert "KeyError" in text
    assert rows[0]["fingerprint"][:8] in text


def test_options_before_the_verb(home):
    """--home is taken before the verb, after it, and from the environment."""
    expected = run("groups", "--home", home, "--json")
    assert run("--home", home, "groups", "--json") == expected
    assert run("groups", "--json", LOGHUB_HOME=str(home)) == expected


def test_recent(home):
    """recent prints whole events, newest first, at most as many as asked for."""
    rows = json.loads(run("recent", "-n", 2, "--home", home, "--json"))
    assert [row["error_type"] for row in rows] == ["KeyError", "KeyError"]
    assert list(rows[0])[:7] == [
        "timestamp", "error_type", "error_message", "module", "function", "traceback", "additional_info",
    ]  # fmt: skip
    assert "KeyError" in run("recent", "--home", home)


def test_stats(home):
    """stats prints seed B's dict, and tables for people."""
    stats = json.loads(run("stats", "--home", home, "--json"))
    assert stats["total_errors"] == 12
    assert stats["error_types"] == {"ERROR": 9, "KeyError": 3}
    assert sum(stats["daily_counts"].values()) == 12
    assert sum(stats["modules"].values()) == 12
    assert "12 errors in 7 days." in run("stats", "--home", home)


def test_show(home):
    """show prints a group or an error by the beginning of its key."""
    row = json.loads(run("groups", "--home", home, "--json"))[1]
    whole = json.loads(run("show", row["fingerprint"][:9], "--home", home, "--json"))
    assert whole["count"] == 9
    assert whole["event"]["additional_info"] == {"customer": "ada"}
    event = json.loads(run("show", whole["event"]["id"][:10], "--home", home, "--json"))
    assert event == whole["event"]
    assert "seen          9 times" in run("show", row["fingerprint"][3:9], "--home", home)
    assert "Nothing here" in run("show", "v1:zz", "--home", home, code=1)


def test_preview(home):
    """preview prints title, labels and body of the issue; --mail the mail; nothing is sent."""
    draft = json.loads(run("preview", "--home", home, "--json"))
    assert draft["title"] == "[Auto] KeyError: shop"
    assert draft["labels"] == ["bug", "automated-report", "shop"]
    assert draft["body"].startswith("## Automated Error Report")
    assert draft["body"] in run("preview", "--home", home)
    mail = json.loads(run("preview", "--mail", "--home", home, "--json"))
    assert mail["headers"]["Subject"] == "shop: 2 errors, 12 occurrences"
    assert "KeyError" in run("preview", "--mail", "--home", home)
    assert "no such group" in run("preview", "v1:zz", "--home", home, code=1)


def test_outbox(home):
    """outbox lists what waits, by destination and group."""
    rows = json.loads(run("outbox", "--home", home, "--json"))
    assert {(row["destination"], row["waiting"], row["state"]) for row in rows} == {
        ("github:acme/shop", 9, "waiting"),
        ("github:acme/shop", 3, "waiting"),
    }
    keys = ["destination", "fingerprint", "waiting", "attempts", "since_at", "due_at", "state", "reason"]
    assert list(rows[0]) == keys
    assert "github:acme/shop" in run("outbox", "--home", home)
    assert "2 due now" in run("outbox", "retry", "--home", home)
    assert "0 given up" in run("outbox", "discard", "--home", home)


def test_drain(home):
    """drain delivers what a dead process left, with the handler that the environment describes."""
    with FakeGitHub("acme/shop") as fake:
        told = {"GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": fake.token, "GITHUB_API_URL": fake.url}
        assert "Nothing waits." in run("drain", "--home", home, **told)
        assert sorted(issue["title"] for issue in fake.issues("acme/shop")) == [
            "[Auto] ERROR: shop",
            "[Auto] KeyError: shop",
        ]
        run("drain", "--home", home, **told)
        assert len(fake.issues("acme/shop")) == 2
        assert fake.violations == []
    rows = json.loads(run("groups", "--home", home, "--json"))
    assert all(row["issue_url"].startswith("https://github.com/acme/shop/issues/") for row in rows)


def test_drain_says_what_is_left(home):
    """drain prints a line with a reason for each thing that is left, and exits with 1."""
    text = run("drain", "--home", home, "--timeout", 1, code=1)
    assert text.count("github:acme/shop v1:") == 2
    assert "no handler for it here" in text
    told = {"GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": "t", "GITHUB_API_URL": "http://127.0.0.1:9"}
    text = run("drain", "--home", home, "--timeout", 0.5, code=1, **told)
    assert "127.0.0.1" in text


def test_no_home(tmp_path):
    """A home that does not exist is one sentence, and is not made."""
    text = run("groups", "--home", tmp_path / "nowhere", code=1)
    assert "There is no home at" in text
    assert not (tmp_path / "nowhere").exists()


def test_damaged_ledger(home):
    """A damaged ledger is one sentence that says what to do, and is not touched by a reader."""
    (home / "ledger.db").write_bytes(b"this is no database" * 100)
    for suffix in ("-wal", "-shm"):
        (home / f"ledger.db{suffix}").unlink(missing_ok=True)
    assert "is damaged" in run("groups", "--home", home, code=1)
    assert (home / "ledger.db").read_bytes().startswith(b"this is no database")


class FileHandler(OutboxHandler):
    """A channel outside loghub, named in a YAML file by its dotted path."""

    def __init__(self, filename="told.txt", **rest) -> None:
        self.filename = filename
        self.destination = f"file:{filename}"
        super().__init__(**rest)

    def deliver(self, batch):
        with open(self.filename, "a", encoding="utf-8") as file:
            file.writelines(f"{item.count} {item.group.error_type}\n" for item in batch.items)


def config(tmp_path, **handlers):
    """Write a logging.yaml with `handlers`, all under root; return its path."""
    path = tmp_path / "logging.yaml"
    said = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {name: {"home": str(tmp_path / "home")} | one for name, one in handlers.items()},
        "root": {"level": "INFO", "handlers": list(handlers)},
    }
    path.write_text(yaml.safe_dump(said))
    return path


def test_check_good(tmp_path):
    """check says ok for token, repository, mail server, home and folder, each on its own line."""
    with FakeGitHub("acme/shop") as fake, FakeSMTP() as smtp:
        path = config(
            tmp_path,
            github={
                "class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": fake.token, "api_url": fake.url,
            },
            mail={
                "class": "loghub.BatchingSMTPHandler", "mailhost": ["127.0.0.1", smtp.port],
                "fromaddr": "a@example.com", "toaddrs": ["b@example.com"],
            },
            detail={"class": "loghub.JSONDetailHandler", "directory": str(tmp_path / "errors")},
        )  # fmt: skip
        findings = json.loads(run("check", path, "--json"))
        assert not [one for one in findings if one["verdict"] == "FAIL"]
        assert {"github", "mail", "home", "ledger", "detail", "clock"} <= {one["subject"] for one in findings}
        assert [request.method for request in fake.requests] == ["GET", "PATCH"]  # and the PATCH changes nothing
        assert fake.issues("acme/shop") == fake.violations == []
        assert smtp.mails == []
        text = run("check", path)
        assert "acme/shop takes issues with labels bug, automated-report" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"token": "wrong"}, "401"),
        ({"repo": "acme/none"}, "404"),
        ({"api_url": "http://127.0.0.1:9"}, "127.0.0.1"),
        ({"repo": "acme"}, "must be 'owner/name'"),
        ({"labls": []}, "did you mean 'labels'?"),
        ({"token": "${GITHUB_TOKEN}"}, "say ext://loghub.env.GITHUB_TOKEN for the whole"),
        ({"home": "${STATE}/shop"}, "cannot be '${STATE}/shop'; it must be a text without ${STATE}, which nothing"),
        ({"token": "ext://loghub.env.NOT_SET_AT_ALL"}, "NOT_SET_AT_ALL is not set"),
        ({"allow_public": False}, "allow_public is false"),
        ({"ledger": "mysql://x"}, "it must be 'sqlite'"),
        ({"class": "loghub.GithubIssueHandler"}, "did you mean loghub.GitHubIssueHandler?"),
        ({"token": None, "token_file": "/nowhere/token"}, "/nowhere/token cannot be read"),
        ({"home": "/proc/loghub"}, "/proc/loghub cannot be written"),
    ],
)
def test_check_bad(tmp_path, change, says):
    """check names what is wrong with a GitHub handler, and exits with 1."""
    with FakeGitHub("acme/shop") as fake:
        said = {"class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": fake.token, "api_url": fake.url}
        text = run("check", config(tmp_path, github=said | change), code=1)
    assert says in text
    assert "FAIL" in text
    assert "Traceback" not in text
    assert "wrong" not in text.replace("wrong with", "")


def test_check_file_problems(tmp_path):
    """A file that is missing, no YAML, no mapping, or without our handlers is said so."""
    assert "none.yaml: it cannot be read: No such file or directory." in run("check", tmp_path / "none.yaml", code=1)
    path = tmp_path / "logging.yaml"
    path.write_text("a: [")
    assert "cannot be read: line 1, column 5: " in run("check", path, code=1)
    path.write_text("- a\n- b\n")
    assert "must be a mapping" in run("check", path, code=1)
    path.write_text("version: 1\n")
    assert "no handler of loghub" in run("check", path, code=1)


def test_check_unattached(tmp_path):
    """A handler that no logger names is found."""
    path = config(tmp_path, detail={"class": "loghub.JSONDetailHandler", "directory": str(tmp_path / "errors")})
    said = yaml.safe_load(path.read_text())
    said["root"]["handlers"] = []
    path.write_text(yaml.safe_dump(said))
    assert "no logger names a handler" in run("check", path, code=1)


@pytest.mark.slow
def test_test_verb(tmp_path):
    """test sends one error through every handler of the file, in a process of its own."""
    with FakeGitHub("acme/shop") as fake, FakeSMTP() as smtp:
        path = config(
            tmp_path,
            github={
                "class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": fake.token, "api_url": fake.url,
            },
            mail={
                "class": "loghub.BatchingSMTPHandler", "mailhost": ["127.0.0.1", smtp.port],
                "fromaddr": "a@example.com", "toaddrs": ["b@example.com"],
            },
            detail={"class": "loghub.JSONDetailHandler", "directory": str(tmp_path / "errors")},
        )  # fmt: skip
        command = [sys.executable, "-m", "loghub", "test", "--config", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "told               github:acme/shop" in done.stdout
        assert [issue["title"] for issue in fake.issues("acme/shop")] == ["[Auto] LoghubTestError: loghub"]
        assert len(smtp.mails) == 1
        assert len(os.listdir(tmp_path / "errors")) == 1


def test_drain_with_config(tmp_path, monkeypatch):
    """drain --config delivers with the file's handlers, also one that is not loghub's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deliverer, "by_hand", True)
    monkeypatch.setitem(sys.modules, "own_channel", sys.modules[__name__])
    handler = FileHandler(home=str(tmp_path / "home"))
    log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    log.addHandler(handler)
    log.error("lost")
    log.removeHandler(handler)
    handler.close()
    path = config(tmp_path, own={"class": "own_channel.FileHandler"})
    assert "Nothing waits." in run("drain", "--config", path)
    assert (tmp_path / "told.txt").read_text() == "1 ERROR\n"


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["groups", "stats", "recent", "outbox", "preview", "check"])
def test_readers_send_nothing(tmp_path, verb):
    """A verb that looks takes in what a killed process left, shows all of it, and delivers nothing."""
    victim = """
    import logging, logging.config, os, signal, sys, yaml
    logging.config.dictConfig(yaml.safe_load(open(sys.argv[1])))
    for number in range(300):
        logging.getLogger("shop").error("order %d lost", number)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    with FakeGitHub("acme/shop") as fake:
        said = {"class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": fake.token, "api_url": fake.url}
        path = config(tmp_path, github=said)
        fake.fault("* *", "500", times=10**6)  # the victim itself must not get through
        processes.run(victim, path, code=-9)
        fake.heal()
        before = len(fake.requests)
        command = [sys.executable, "-m", "loghub", verb, "--config", str(path)]
        done = subprocess.run(command, env=processes.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        acted = [one for one in fake.requests[before:] if one.method != "GET" and one.status < 400]
        assert acted == []  # check looks whether it may write with a request that cannot act
        assert fake.issues("acme/shop") == []
        assert "300" in done.stdout or verb == "recent"
        command = [sys.executable, "-m", "loghub", "stats", "--json", "--home", str(tmp_path / "home")]
        done = subprocess.run(command, env=processes.environment(), capture_output=True, text=True, check=False)
        assert json.loads(done.stdout)["total_errors"] == 300


@pytest.mark.parametrize("text", ["handlers: [a]", "handlers: {a: null}", "loggers: {a: null}", "filters: 3"])
def test_check_shape(tmp_path, text):
    """A part of the file that is no mapping is said so, without a traceback."""
    path = tmp_path / "logging.yaml"
    path.write_text(f"version: 1\n{text}\n")
    assert "must be a mapping" in run("check", path, code=1)


PLAIN = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"event": {"()": "loghub.EventFilter"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler"},
        "detail": {"class": "loghub.JSONDetailHandler", "filters": ["event"]},
    },
    "root": {"handlers": ["console", "detail"]},
}
"""A configuration about which there is nothing to say."""


def checked(tmp_path, monkeypatch, change, *, code):
    """Return the lines of check about a configuration that `change` has changed, without those of what is right."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGHUB_HOME", str(tmp_path / "home"))
    said = copy.deepcopy(PLAIN)
    change(said)
    (tmp_path / "logging.yaml").write_text(yaml.safe_dump(said))
    return [line for line in run("check", code=code).splitlines() if not line.startswith("ok ")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda said: said["handlers"].update(repo="acme/shop"), "handlers: repo must be a mapping: is it, or what"),
        (
            lambda said: said["handlers"].update(root={}),
            "handler 'root' has no class: root stands beside handlers, not",
        ),
        (lambda said: said["handlers"].update(x={}), "handler 'x' has no class."),
        (
            lambda said: said["handlers"]["detail"].update(filters=["evnt"]),
            "handler 'detail' names 'evnt', which is not under filters; did you mean 'event'?",
        ),
        (
            lambda said: said["handlers"]["console"].update(formatter="plain"),
            "handler 'console' names 'plain', which is not under formatters.",
        ),
        (
            lambda said: said["root"].update(handlers=["detial"]),
            "logger 'root' names 'detial', which is not under handlers; did you mean 'detail'?",
        ),
        (
            lambda said: said.update(loggers={"lone": {"filters": ["evnt"]}}),
            "logger 'lone' names 'evnt', which is not under filters; did you mean 'event'?",
        ),
        (lambda said: said["handlers"]["detail"].update(directry="x"), "has no option 'directry'; did you mean"),
    ],
)
def test_check_slips(tmp_path, monkeypatch, change, says):
    """Names that nothing in the file has, and entries that stand at the wrong place, get a sentence of their own."""
    (line,) = checked(tmp_path, monkeypatch, change, code=1)
    assert says in line
    assert not line.endswith("?.")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda said: None, []),
        (lambda said: said.pop("disable_existing_loggers"), ["say disable_existing_loggers: false."]),
        (lambda said: said["root"].update(handlers=["detail"]), ["is written nowhere: name a handler that writes"]),
        (
            lambda said: said.update(loggers={"lone": {"propagate": False, "handlers": ["console"]}}),
            ["logger lone does not propagate and names no handler of loghub"],
        ),
        (lambda said: said.update(loggers={"lone": {"propagate": False, "handlers": ["detail"]}}), []),
        (lambda said: said.update(loggers={"lone": {"handlers": ["console"]}}), []),
        (
            lambda said: said["handlers"].update(more={"class": "loghub.JSONDetailHandler", "home": "other"}),
            ["the handlers count in 2 places, each by itself, in "],
        ),
    ],
)
def test_check_notes(tmp_path, monkeypatch, change, says):
    """What is allowed, and has errors missed or counted where nobody looks, is noted, and fails nothing."""
    found = checked(tmp_path, monkeypatch, change, code=0)
    assert len(found) == len(says)
    assert all(line.startswith("note  logging.yaml: ") and one in line for line, one in zip(found, says, strict=True))


def test_config_with_references(tmp_path):
    """What a handler takes from elsewhere in the file by cfg:// is found, and so is a handler given by ()."""
    path = tmp_path / "logging.yaml"
    handler = {"()": "loghub.GitHubIssueHandler", "repo": "cfg://my.repo", "home": str(tmp_path / "home")}
    said = {"version": 1, "my": {"repo": "acme/shop"}, "handlers": {"github": handler}}
    path.write_text(yaml.safe_dump(said))
    assert "Nothing waits." in run("drain", "--config", path)
