"""What the wrapper reports gets to GitHub before the container goes, and never holds it for long."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading

import pytest

from loghub.github.block import read_state
from tests.fakes.github import FakeGitHub
from tests.supervise.reporting import command, environment, script, told, wrapped

REPO = "acme/shop"
pytestmark = pytest.mark.slow


def variables(fake):
    """Return where the stand-in is."""
    return {"GITHUB_REPO": REPO, "GITHUB_TOKEN": fake.token, "GITHUB_API_URL": fake.url}


def test_home_that_goes_with_the_container(tmp_path):
    """A new bug is an issue before the wrapper ends: nobody comes after it. The next container finds that issue."""
    path = script(tmp_path, "def pay():\n    raise ValueError('refused')\npay()\n")
    with FakeGitHub(REPO) as fake:
        for _ in range(2):
            assert wrapped(tmp_path / "home", path, **variables(fake)).returncode == 1
            shutil.rmtree(tmp_path / "home")
        [issue] = fake.issues(REPO)
    assert issue["title"] == "[Auto] ValueError: app"
    assert {label["name"] for label in issue["labels"]} >= {"bug", "automated-report", "app"}
    assert read_state(issue["body"]).count == 2
    assert "raise ValueError('refused')" in issue["body"]


def test_crash_loop(tmp_path):
    """A container that is restarted again and again is one issue with a count."""
    with FakeGitHub(REPO) as fake:
        for _ in range(5):
            wrapped(
                tmp_path / "home",
                "--component",
                "shop",
                "--",
                "sh",
                "-c",
                "echo no database >&2; exit 3",
                **variables(fake),
            )
        subprocess.run(
            [*command()[:-1], "drain", "--timeout", "20"],
            env=environment(tmp_path / "home", **variables(fake)),
            check=True,
        )
        [issue] = fake.issues(REPO)
    assert issue["title"] == "[Auto] ExitCode 3: shop"
    assert read_state(issue["body"]).count == 5
    assert "no database" in issue["body"]


STARTS = 200


def test_crash_loop_has_a_budget(tmp_path):
    """Hundreds of failing starts are one issue, whose edits, and what is asked for them, become ever more seldom."""
    with FakeGitHub(REPO) as fake:
        env = environment(tmp_path / "home", **variables(fake))
        edits = []
        for start in range(STARTS):
            words = command("--component", "shop", "--", "sh", "-c", f"echo no database {start} >&2; exit 3")
            assert subprocess.run(words, env=env, capture_output=True, timeout=60, check=False).returncode == 3
            edits.append(sum(one.method == "PATCH" for one in fake.requests))
        [issue] = fake.issues(REPO)
        requests = len(fake.requests)
        subprocess.run([*command()[:-1], "drain", "--timeout", "20"], env=env, check=True)
        [at_last] = fake.issues(REPO)
        assert fake.violations == []
    assert STARTS / 1.1 <= read_state(issue["body"]).count <= STARTS
    assert read_state(at_last["body"]).count == STARTS
    assert edits[-1] < STARTS / 4
    assert edits[-1] - edits[STARTS // 2] < 15
    assert requests < STARTS
    assert len(fake.comments(REPO, issue["number"])) <= 2
    assert [(one.kind, one.count) for one in told(tmp_path / "home")] == [("ExitCode 3", STARTS)]


def test_crash_loop_of_many_kinds(tmp_path):
    """A loop that fails otherwise each time opens no more issues than issues_per_hour; a storm issue lists the rest."""
    config = script(
        tmp_path,
        """
        version: 1
        handlers:
          github:
            class: loghub.GitHubIssueHandler
            issues_per_hour: 3
        root:
          handlers: [github]
        """,
        "logging.yaml",
    )
    with FakeGitHub(REPO) as fake:
        for code in range(1, 16):
            wrapped(tmp_path / "home", "--config", config, "--", "sh", "-c", f"exit {code}", **variables(fake))
        titles = [issue["title"] for issue in fake.issues(REPO)]
    assert sum("Storm" not in title for title in titles) == 3
    assert sum("Storm" in title for title in titles) <= 1
    assert len(told(tmp_path / "home")) == 15


@pytest.mark.shows("github hangs", "nothing lost", "ends in time")
def test_github_that_hangs(tmp_path):
    """A GitHub that does not answer holds the end for no longer than --timeout, and the report waits in the home."""
    with FakeGitHub(REPO) as fake:
        fake.fault("*", "hang", times=100, seconds=60)
        words = command("--timeout", "1", "--", "sh", "-c", "exit 3")
        subprocess.run(words, env=environment(tmp_path / "home", **variables(fake)), timeout=15, check=False)
        assert fake.issues(REPO) == []
        fake.heal()
        [one] = told(tmp_path / "home")
    assert (one.kind, one.count) == ("ExitCode 3", 1)


def test_stopped_while_it_delivers(tmp_path):
    """Who stops the wrapper while it delivers has it end at once, as its command has ended."""
    with FakeGitHub(REPO) as fake:
        fake.fault("*", "hang", times=100, seconds=60)
        asked = threading.Event()
        fake.on_request = lambda *_: asked.set()
        words = command("--timeout", "600", "--", "sh", "-c", "exit 3")
        with subprocess.Popen(words, env=environment(tmp_path / "home", **variables(fake))) as process:
            assert asked.wait(30)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 3
        fake.heal()
    assert [one.kind for one in told(tmp_path / "home")] == ["ExitCode 3"]
