"""restart_service: real programs, and a systemctl that writes down how it was called."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loghub import procedures
from loghub.errors import OptionValueError, ProcedureError

SYSTEMCTL = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
folder = Path(__file__).parent
with open(folder / "calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
verb = next(one for one in sys.argv[1:] if not one.startswith("-"))
code, said = json.loads((folder / "answers").read_text())[verb]
print(said, file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""


def python(code):
    """Return a command that runs Python code."""
    return [sys.executable, "-c", code]


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """Have a systemctl first on the path; return what sets its answers, and then what it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(SYSTEMCTL)
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def answers(restart=(0, ""), active=(0, "active")):
        (folder / "answers").write_text(json.dumps({"restart": restart, "is-active": active}))
        return lambda: [json.loads(line) for line in (folder / "calls").read_text().splitlines()]

    return answers


def test_unit(systemctl, time):
    """A unit is restarted, and has to be active a moment later; nobody is asked for a password."""
    calls = systemctl()
    assert procedures.restart_service({}, unit="camera@1.service") is True
    assert calls() == [
        ["--no-ask-password", "restart", "--", "camera@1.service"],
        ["--no-ask-password", "is-active", "--", "camera@1.service"],
    ]
    assert time.slept == [1.0]


def test_users_own(systemctl, time):
    """A unit of the user's own systemd is asked for there."""
    calls = systemctl()
    assert procedures.restart_service({}, unit="camera", user="yes", settle=0)
    assert [call[0] for call in calls()] == ["--user", "--user"]


def test_not_active(systemctl, time):
    """A unit that was restarted and died is not recovered."""
    systemctl(active=(3, "failed"))
    with pytest.raises(ProcedureError, match=r"^camera was restarted, but is not active 1 s later: failed\.$"):
        procedures.restart_service({}, unit="camera")


def test_not_restarted(systemctl, time):
    """What systemctl said last is the reason."""
    calls = systemctl(restart=(5, "Failed to restart camera.service: Unit camera.service not found.\n\n"))
    with pytest.raises(ProcedureError, match=r"failed with exit status 5, saying: Failed to restart .* not found"):
        procedures.restart_service({}, unit="camera")
    assert len(calls()) == 1


@pytest.mark.parametrize("unit", ["--force", "-H root@host", "a b", "a;b", "../x", "a*", "", "x" * 256, "a\nb", 5])
def test_unit_names(systemctl, unit):
    """What is no unit's name never reaches systemctl."""
    with pytest.raises(OptionValueError, match=r"restart_service: option 'unit' cannot be .* it must be "):
        procedures.restart_service({}, unit=unit)


def test_command():
    """A command that ends well has restarted the service."""
    assert procedures.restart_service({}, command=python("print('restarted')")) is True


def test_no_shell(tmp_path):
    """What means something to a shell is an argument like any other."""
    target = tmp_path / "made"
    code = "import sys; sys.exit(sys.argv[1:] != ['$HOME', '; touch x', '*'])"
    assert procedures.restart_service({}, command=[*python(code), "$HOME", "; touch x", "*"])
    assert not target.exists()


def test_command_fails():
    """The exit status and the last line of the output are told, without secrets."""
    token = "ghp_" + "a1B2c3D4e5" * 4
    code = (
        f"import sys; print('x' * 99999, flush=True); print('broken: {token}', file=sys.stderr); print(); sys.exit(7)"
    )
    with pytest.raises(ProcedureError) as caught:
        procedures.restart_service({}, command=python(code))
    assert "failed with exit status 7, saying: broken: " in str(caught.value)
    assert token not in str(caught.value)


def test_says_nothing():
    """A command that fails without a word is said to have said nothing."""
    with pytest.raises(ProcedureError, match=r"^false failed with exit status 1 and said nothing\.$"):
        procedures.restart_service({}, command=["false"])


def test_dies():
    """A command that is killed is told by the signal."""
    with pytest.raises(ProcedureError, match=r"was ended by signal 9 and said nothing\.$"):
        procedures.restart_service({}, command=python("import os; os.kill(os.getpid(), 9)"))


def test_missing_program(tmp_path):
    """A program that is not there, or no program, is said to be so."""
    with pytest.raises(ProcedureError, match=r"^no-such-program restart could not be started: FileNotFoundError"):
        procedures.restart_service({}, command=["no-such-program", "restart"])
    with pytest.raises(ProcedureError, match="could not be started: PermissionError"):
        procedures.restart_service({}, command=[str(tmp_path)])


def test_time_limit(tmp_path, monkeypatch):
    """A command that does not end is killed with its children, and what it said last is told."""
    pids, ready = tmp_path / "pids", tmp_path / "ready"
    code = f"""
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("waiting for the camera", flush=True)
with open({str(pids)!r}, "w") as file:
    file.write(f"{{os.getpid()}} {{child.pid}}")
os.rename({str(pids)!r}, {str(ready)!r})
signal.pause()
"""
    real = subprocess.Popen.wait

    def wait(self, timeout=None):
        """Let the time pass as soon as the command has come to where it stays."""
        while timeout and not ready.exists():
            assert self.poll() is None
        return real(self, timeout and 0.0)

    monkeypatch.setattr(subprocess.Popen, "wait", wait)
    with pytest.raises(
        ProcedureError, match=r"not end within 30 s and was killed; it said last: waiting for the camera"
    ):
        procedures.restart_service({}, command=python(code))
    parent, child = map(int, ready.read_text().split())
    with pytest.raises(ProcessLookupError):
        os.kill(parent, 0)
    until = time.monotonic() + 20.0
    while not _is_dead(child):  # the signal was sent, and is on its way
        assert time.monotonic() < until


def _is_dead(pid):
    """Return whether a process has ended; who adopted it may not have looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_daemon():
    """A service that holds the command's output open and stays is not waited for, and not killed."""
    code = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(child.pid)
sys.exit(1)
"""
    with pytest.raises(ProcedureError) as caught:
        procedures.restart_service({}, command=python(code), timeout=60)
    pid = int(str(caught.value).rpartition(": ")[2].rstrip("."))
    assert not _is_dead(pid)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("options", [{}, {"unit": "a", "command": ["b"]}])
def test_one_of_two(options):
    """Either a unit or a command is given."""
    with pytest.raises(OptionValueError, match="give 'unit' or 'command', one of them"):
        procedures.restart_service({}, **options)


@pytest.mark.parametrize("command", [[], [""], ["a", 5], {"a": "b"}, ["a\0b"], 7])
def test_malformed_command(command):
    """A command is a list of texts."""
    with pytest.raises(OptionValueError, match=r"restart_service: option 'command' cannot be .* it must be a list"):
        procedures.restart_service({}, command=command)


def test_command_line():
    """A command line is refused with the list that it should be."""
    with pytest.raises(OptionValueError) as caught:
        procedures.restart_service({}, command="service 'my camera' restart")
    assert 'as no shell reads it: ["service", "my camera", "restart"].' in str(caught.value)
    with pytest.raises(OptionValueError, match='"it\'s"'):
        procedures.restart_service({}, command="echo it's")
