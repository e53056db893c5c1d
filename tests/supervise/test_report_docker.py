"""The example for Docker: its files fit together, and its entry point does its work, without Docker."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.fakes.github import FakeGitHub
from tests.supervise.reporting import environment, told

EXAMPLE = Path(__file__).parents[2] / "examples" / "docker"
VARIABLES = ("GITHUB_TOKEN", "GITHUB_REPO", "ERROR_REPORTING_ENABLED", "ERROR_REPORTING_INCLUDE_SYSTEM_INFO",
             "ERROR_REPORTING_AUTO_LABEL")  # fmt: skip


def instructions():
    """Return the Dockerfile's instructions: word and rest."""
    text = re.sub(r"\\\n", " ", (EXAMPLE / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def compose():
    """Return the service of the compose file, its environment as a dict."""
    [service] = yaml.safe_load((EXAMPLE / "docker-compose.yml").read_text())["services"].values()
    return service | {"environment": dict(entry.split("=", 1) for entry in service["environment"])}


def test_files_are_there():
    """What is copied into the image is beside the Dockerfile, and nothing else lies there."""
    copied = [name for word, rest in instructions() if word == "COPY" for name in shlex.split(rest)[:-1]]
    assert {path.name for path in EXAMPLE.iterdir() if path.is_file()} == {*copied, "Dockerfile", "docker-compose.yml"}
    words = {word: json.loads(rest) for word, rest in instructions() if word in ("ENTRYPOINT", "CMD")}
    assert Path(words["ENTRYPOINT"][-1]).name in copied
    assert words["CMD"][-1] in copied
    assert ("WORKDIR", str(Path(words["ENTRYPOINT"][-1]).parent)) in instructions()


def test_the_home_survives():
    """The home is a volume in both files, and belongs to who runs."""
    home = dict(entry.split("=", 1) for word, entry in instructions() if word == "ENV")["LOGHUB_HOME"]
    assert ("VOLUME", home) in instructions()
    assert any(volume.endswith(f":{home}") for volume in compose()["volumes"])
    [user] = [rest for word, rest in instructions() if word == "USER"]
    assert any(f"-o {user} " in rest and home in rest for word, rest in instructions() if word == "RUN")


@pytest.mark.parametrize("name", VARIABLES)
def test_variables(name):
    """Each variable of the compose file is one that the wrapper takes, with its default."""
    value = compose()["environment"][name]
    assert value == (f"${{{name}:-}}" if name.startswith("GITHUB") else "true")


def start(home, *words, **variables):
    """Start the container's entry point as Docker would."""
    words = [sys.executable, str(EXAMPLE / "docker_error_wrapper.py"), *words]
    said = {name: value for name, value in compose()["environment"].items() if not value.startswith("$")}
    env = environment(home, PYTHONDONTWRITEBYTECODE="1", **said | variables)
    return subprocess.run(words, cwd=EXAMPLE, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_it_reports(tmp_path):
    """The example's command fails, ends as it would alone, and its error is an issue of the component."""
    with FakeGitHub("user/repo") as fake:
        variables = {"GITHUB_TOKEN": fake.token, "GITHUB_REPO": "user/repo", "GITHUB_API_URL": fake.url}
        done = start(tmp_path / "home", sys.executable, "shop.py", **variables)
        [issue] = fake.issues("user/repo")
    assert (done.returncode, done.stdout) == (1, "serving\n")
    assert issue["title"] == "[Auto] KeyError: shop"
    assert {label["name"] for label in issue["labels"]} == {"bug", "automated-report", "shop"}
    assert "PRICES[article]" in issue["body"]


@pytest.mark.slow
def test_module(tmp_path):
    """A module is run as `docker exec` of the seed runs it."""
    done = start(tmp_path / "home", "-m", "shop", CART="tea coffee")
    assert (done.returncode, done.stdout, done.stderr) == (0, "serving\n7\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(("value", "reported"), [("true", 1), ("false", 0), ("0", 0), ("no", 0), ("off", 0)])
def test_enabled(value, reported, tmp_path):
    """Reporting can be switched off from outside; the command runs in any case."""
    done = start(tmp_path / "home", sys.executable, "shop.py", ERROR_REPORTING_ENABLED=value)
    assert (done.returncode, len(told(tmp_path / "home"))) == (1, reported)


@pytest.mark.slow
def test_system_information(tmp_path):
    """Nothing is said about the machine where that is switched off."""
    start(tmp_path / "home", sys.executable, "shop.py", ERROR_REPORTING_INCLUDE_SYSTEM_INFO="false")
    [one] = told(tmp_path / "home")
    assert "system" not in one.event
    assert one.event["server"] == ""
