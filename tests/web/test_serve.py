"""`loghub serve` as a person starts it: a real process, a real port, a real terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

COMMAND = [sys.executable, "-m", "loghub", "serve", "--port", "0"]


def environment(folder, **more):
    """Return an environment with a home of its own, and no password."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOGHUB_", "GITHUB_", "GH_"))}
    return clean | {"LOGHUB_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"} | more


@contextlib.contextmanager
def serving(folder, *words, **more):
    """Yield the process of a server that listens, and its address."""
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        found = re.match(r"(http://\S+)", line)
        assert found, line + process.stderr.read()
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


def refused(folder, *words, **more):
    """Return what the server says that does not start, and its exit code."""
    env = environment(folder, **more)
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def get(url):
    """Return status, and address in the end."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.url
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.url


@pytest.mark.slow
def test_no_password(tmp_path):
    """Without a password, and nobody to ask for one, it does not start."""
    assert refused(tmp_path) == (1, "Error: There is no password for admin: set LOGHUB_ADMIN_PASSWORD.\n")


@pytest.mark.slow
def test_empty_password(tmp_path):
    """A file of which nothing was written, as on a full disk, is no password."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "web.password").write_text("\n", "ascii")
    assert refused(tmp_path) == (1, "Error: There is no password for admin: set LOGHUB_ADMIN_PASSWORD.\n")


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["ops", "//evil.example", "/<name>"])
def test_prefix_that_is_none(tmp_path, prefix):
    """What is no path of this site is refused in one sentence."""
    code, said = refused(tmp_path, "--no-login", "--prefix", prefix)
    assert (code, said.count("\n"), "such as /ops" in said) == (1, 1, True)


@pytest.mark.slow
def test_no_login_elsewhere(tmp_path):
    """Without a login it listens at this machine's own address only."""
    code, said = refused(tmp_path, "--no-login", "--host", "0.0.0.0")
    assert code == 2
    assert "--no-login is for this machine alone, and 0.0.0.0 can be reached by others." in said


@pytest.mark.slow
def test_port_in_use(tmp_path):
    """A port that somebody has is named in one sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, said = refused(tmp_path, "--no-login", "--port", port)
    assert (code, said) == (1, f"Error: Nothing can listen at 127.0.0.1:{port}: Address already in use.\n")


@pytest.mark.slow
def test_password(tmp_path):
    """With a password the pages ask for it; at SIGTERM the server ends in order."""
    with serving(tmp_path, LOGHUB_ADMIN_PASSWORD="a good one") as (process, url):
        assert get(url + "errors") == (200, url + "login?next=/errors")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.slow
def test_silent_clients(tmp_path):
    """Who opens many connections and says nothing keeps nobody else out."""
    with serving(tmp_path, "--no-login") as (_, url), contextlib.ExitStack() as opened:
        port = int(url.rstrip("/").rpartition(":")[2])
        for _ in range(200):
            one = opened.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            one.sendall(b"POST /api/report-error HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        assert get(url + "healthz") == (200, url + "healthz")


@pytest.mark.slow
def test_prefix(tmp_path):
    """Below a prefix everything is found there."""
    with serving(tmp_path, "--no-login", "--prefix", "/ops") as (process, url):
        assert process.stderr.readline().startswith("No password is asked: whoever uses this machine sees and changes")
        assert url.endswith("/ops/")
        assert get(url) == (200, url + "errors")


@pytest.mark.slow
def test_source_maps(tmp_path):
    """A folder that is not there is refused; without symbolic one line says that maps are not used."""
    code, said = refused(tmp_path, "--no-login", "--source-maps", f"https://shop.example/={tmp_path}/nowhere")
    assert (code, "it must be a directory that exists" in said) == (1, True)
    (tmp_path / "symbolic.py").write_text("raise ImportError", "ascii")
    maps = f"https://shop.example/={tmp_path}, https://cdn.example/={tmp_path}"
    with serving(tmp_path, "--no-login", LOGHUB_SOURCE_MAPS=maps, PYTHONPATH=str(tmp_path)) as (process, _):
        process.terminate()
        lines = process.communicate(timeout=60)[1].splitlines()
    assert lines[0] == "Error reporter: source maps are not used: pip install 'loghub-handlers[sourcemaps]'."
    assert [line for line in lines if "source maps" in line] == lines[:1]


@pytest.mark.slow
def test_asked_once(tmp_path):
    """At a terminal the password is asked for once; its hash is kept, and only its owner can read that."""
    answers = ["short", "a good one", "another", "a good one", "a good one"]
    said = at_terminal(tmp_path, answers[:1])
    assert "shorter than 8" in said
    assert "two passwords" in at_terminal(tmp_path, answers[1:3])
    assert "http://127.0.0.1:" in at_terminal(tmp_path, answers[3:])
    path = tmp_path / "home" / "web.password"
    assert path.read_text().startswith("$argon2id$")
    assert path.stat().st_mode & 0o777 == 0o600
    with serving(tmp_path) as (_, url):
        assert get(url + "errors") == (200, url + "login?next=/errors")


def at_terminal(folder, answers):
    """Start the server at a terminal and answer what it asks; return what was shown until it listens or has ended."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(sys.executable, COMMAND, environment(folder))
    shown = ""
    try:
        while "Ctrl-C" not in shown and select.select([terminal], [], [], 30)[0]:
            try:
                shown += os.read(terminal, 4096).decode()
            except OSError:  # it has ended
                break
            if shown.endswith(": ") and answers:
                os.write(terminal, answers.pop(0).encode() + b"\n")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return shown
