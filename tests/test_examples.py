"""Each example as a person runs it, with the real packages; what is to be seen afterwards is seen."""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.fakes.github import FakeGitHub

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def environment(folder, **env):
    """Return an environment without a token, and with a home of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "GH_"))}
    return clean | {"LOGHUB_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"} | env


def example(name, folder, **env):
    """Run an example to its end; return what it printed."""
    return python([EXAMPLES / name], folder, **env)


def python(arguments, folder, **env):
    """Run Python to its end; return what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment(folder, **env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def running(arguments, folder, ready, *path):
    """Yield the lines that a server goes on to print after the one that says that it is ready; it is ended by TERM."""
    env = environment(folder, PYTHONPATH=os.pathsep.join(map(str, (ROOT, *path))))
    server = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    watchdog = threading.Timer(60, server.kill)
    watchdog.start()
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if ready in line:
                break
        else:
            pytest.fail("".join(said))
        yield server.stdout
        server.send_signal(signal.SIGTERM)
        server.communicate()
    finally:
        watchdog.cancel()
        server.kill()
        server.wait()
        server.stdout.close()


def free_port():
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def status(url):
    """Return the status of what is asked for."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def loghub_json(folder, *verb):
    """Return what the command line says."""
    return json.loads(python(["-m", "loghub", *verb, "--json"], folder))


def recent(folder):
    """Return the errors that the command line shows."""
    return loghub_json(folder, "recent")


def test_minimal(tmp_path):
    """The smallest set-up leaves a detail file and a counted bug."""
    example("minimal.py", tmp_path)
    assert len(list((tmp_path / "logs" / "errors").glob("error_*_ZeroDivisionError_*.json"))) == 1
    assert (tmp_path / "home" / "ledger.db").exists()


def test_own_channel(tmp_path):
    """A channel of one's own is told each bug with its count."""
    assert example("own_channel.py", tmp_path).strip() == "3 x ERROR in own_channel in <module>"


def test_own_procedure(tmp_path):
    """A procedure of one's own mends what failed, without a word of the application."""
    assert example("own_procedure.py", tmp_path).strip() == "a picture"


@pytest.mark.slow
def test_error_reporting_demo(tmp_path):
    """Errors told by hand are kept without a token, and opened as issues with one, by exception or text; no secrets."""
    assert example("error_reporting_demo.py", tmp_path).splitlines() == [
        "caught: kept",
        "as a text: kept",
        "in words: kept",
        "logged: KeyError in demo.camera.open",
    ]
    counts = {group["error_type"]: group["count"] for group in loghub_json(tmp_path, "groups")}
    assert counts == {"ZeroDivisionError": 2, "SensorError": 1}
    with FakeGitHub("acme/shop") as fake:
        told = {"GITHUB_API_URL": fake.url, "GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": fake.token}
        printed = example("error_reporting_demo.py", tmp_path, **told)
        issues = fake.issues("acme/shop")
    assert f"caught: {issues[0]['html_url']}" in printed
    assert {issue["title"] for issue in issues} == {"[Auto] ZeroDivisionError: demo", "[Auto] SensorError: demo"}
    assert all("hunter2" not in issue["body"] for issue in issues)


def test_structlog(tmp_path):
    """What is bound is in the line and in the error."""
    example("structlog_app.py", tmp_path)
    [event] = recent(tmp_path)
    assert (event["error_type"], event["function"]) == ("ZeroDivisionError", "charge")
    assert event["additional_info"] == {"order": 17, "user": "u-7"}


def test_structlog_print(tmp_path):
    """A logger that prints by itself prints as before, and its error is told with what is bound."""
    [line] = example("structlog_print.py", tmp_path).splitlines()
    assert json.loads(line)["event"] == "charge failed"
    [event] = recent(tmp_path)
    assert (event["error_type"], event["function"]) == ("ZeroDivisionError", "charge")
    assert event["additional_info"] == {"order": 17, "user": "u-7"}


def test_cron_job(tmp_path):
    """Under `loghub run` a script that knows nothing of logging ends as it would, and its error is told."""
    script = str(EXAMPLES / "cron_job.py")
    done = subprocess.run(
        [sys.executable, "-m", "loghub", "run", "--component", "backup", script, "shop.db"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.rstrip().endswith("No such file or directory: 'shop.db'")
    [event] = recent(tmp_path)
    assert (event["error_type"], event["component"], event["function"]) == ("FileNotFoundError", "backup", "back_up")
    (tmp_path / "shop.db").write_bytes(b"data")
    saved = python(["-m", "loghub", "run", "--component", "backup", script, "shop.db"], tmp_path)
    assert saved.startswith("saved: shop.db.")
    assert len(recent(tmp_path)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "command", "ready"),
    [
        ("flask_app.py", ["-m", "flask", "--app", "{}", "run", "--port", "{port}"], "Running on"),
        ("fastapi_app.py", ["-m", "uvicorn", "--app-dir", "{folder}", "fastapi_app:app", "--log-config",
                            "{folder}/fastapi_logging.yaml", "--port", "{port}"], "Uvicorn running on"),
        ("django_site.py", ["{}", "runserver", "--noreload", "{port}"], "development server at http"),
    ],
)  # fmt: skip
def test_web(tmp_path, name, command, ready):
    """A view that fails three times is one bug with a count of three, in the component that the configuration says."""
    port = free_port()
    told = [part.format(EXAMPLES / name, folder=EXAMPLES, port=port) for part in command]
    with running(told, tmp_path, ready):
        assert [status(f"http://127.0.0.1:{port}/pay/{people}") for people in (4, 0, 0, 0)] == [200, 500, 500, 500]
    [group] = loghub_json(tmp_path, "groups")
    assert (group["error_type"], group["count"], group["component"]) == ("ZeroDivisionError", 3, "till")
    assert len(list((tmp_path / "logs" / "errors").iterdir())) == 3
    event = recent(tmp_path)[0]
    assert event["function"] == "pay"
    request = event["additional_info"]["request"]
    assert (request["method"], request["path"]) == ("GET", "/pay/0")


@pytest.mark.slow
def test_flask_admin(tmp_path, monkeypatch):
    """An application's own login and roles hold for the pages: nobody sees them, support looks, admin changes."""
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("ADMIN_PASSWORD", "a good one")
    monkeypatch.setenv("SUPPORT_PASSWORD", "another one")
    with running(
        ["-m", "flask", "--app", EXAMPLES / "flask_admin.py", "run", "--port", str(port)], tmp_path, "Running"
    ):
        assert status(f"{site}/pay/0") == 500
        assert [status(f"{site}/ops{path}") for path in ("/errors", "/outbox", "/api/groups")] == [401, 401, 401]
        person = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

        def read(name, password, url, form=None):
            known = base64.b64encode(f"{name}:{password}".encode()).decode()
            person.addheaders = [("Authorization", f"Basic {known}")]
            with person.open(url, form and urllib.parse.urlencode(form).encode(), timeout=20) as answer:
                return answer.read().decode()

        support, admin = ("support", "another one"), ("admin", "a good one")
        listed = read(*support, f"{site}/ops/errors")
        assert "ZeroDivisionError" in listed
        group = site + re.search(r'href="(/ops/groups/[^"]+)"', listed)[1]
        assert 'name="action"' not in read(*support, group)  # nothing is there to be pressed
        token = re.search(r'name="csrf_token" value="([^"]+)"', read(*admin, group))[1]
        mute = {"csrf_token": token, "action": "mute"}
        with pytest.raises(urllib.error.HTTPError) as refused:
            read(*support, group, mute)
        refused.value.close()
        assert refused.value.code == 403
        assert "is muted" in read(*admin, group, mute)


@pytest.mark.slow
def test_celery(tmp_path):
    """Four tasks that fail in a worker's processes are one bug with a count of four."""
    with running(["-m", "celery", "-A", "celery_app", "worker", "-c", "2"], tmp_path, "ready.", EXAMPLES) as lines:
        example("celery_app.py", tmp_path, CELERY_FOLDER=str(tmp_path / "celery"))
        failed = (line for line in lines if "raised unexpected" in line)
        for _ in range(4):
            next(failed)
    [group] = loghub_json(tmp_path, "groups")
    assert (group["error_type"], group["count"], group["component"]) == ("ZeroDivisionError", 4, "till")


def test_every_example_is_run():
    """Every file in examples/ is told of in its README, and run by a test: here, or the page in a browser."""
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    tests = [Path(__file__), ROOT / "tests" / "browser" / "test_demo_page.py"]
    tested = "".join(path.read_text(encoding="utf-8") for path in tests)
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"README.md"}
    assert {name for name in files if f"`{name}`" not in readme} == set()
    assert {name for name in files if name not in tested} == set()
    assert set(re.findall(r"^\| `([^`]+)`", readme, re.MULTILINE)) <= {path.name for path in EXAMPLES.iterdir()}
