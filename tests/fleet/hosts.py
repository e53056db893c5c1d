"""Hosts of a fleet: processes with a home each, which fail as they are told, and are killed between two calls."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import signal
import subprocess
import sys

import yaml

from loghub.delivery import leases
from tests.configurations import everything
from tests.processes import environment

BUGS = 50

_WORKER = """
import fcntl, logging.config, sys, yaml
from loghub.delivery import leases

path, gate, lease = sys.argv[1:]
leases.LEASE_SECONDS = float(lease)
with open(path) as file:
    logging.config.dictConfig(yaml.safe_load(file))
gate = open(gate)
log = logging.getLogger("shop.orders")
for number in range(%d):
    exec(f"def bug_{number}(order): raise ValueError(f'no price for order {{order}}')")

for line in sys.stdin:
    first, number = map(int, line.split())
    for order in range(first, first + number):
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            globals()[f"bug_{order %% %d}"](order)
        except ValueError:
            log.exception("order %%d failed", order)
        print(order, flush=True)
        fcntl.flock(gate, fcntl.LOCK_UN)
logging.shutdown()
gate.close()
""" % (BUGS, BUGS)  # noqa: UP031 - braces are Python's here


@functools.cache
def can_be_apart() -> bool:
    """Return whether processes can have a name of their host, and numbers, of their own."""
    return subprocess.run([*_UNSHARE, "hostname x"], capture_output=True, check=False).returncode == 0


_UNSHARE = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "sh", "-c")


def _apart(name: str) -> list[str]:
    """Return what makes a command run as on another host: its name, and pids that mean nothing elsewhere."""
    return [*_UNSHARE, f'hostname {name}; exec "$@"', "sh"] if can_be_apart() else []


class Host:
    """One host: its home, its configuration, and the process that runs there now.

    Args:
        folder: Where home and configuration are.
        ledger: Option `ledger` of its handlers.
        github: A FakeGitHub.
        smtp: A FakeSMTP.
        lease: For how many seconds a process may deliver before it asks again.
        options: More options of its handlers.
    """

    def __init__(self, folder, ledger, github, smtp, *, lease=leases.LEASE_SECONDS, **options) -> None:
        self.folder = folder
        self.lease = lease
        folder.mkdir()
        said = everything(folder, github=github.url, token=github.token, smtp=smtp.port, ledger=ledger, **options)
        said["handlers"]["github"]["issues_per_hour"] = 1000
        for unneeded in ("file", "detail"):
            del said["handlers"][unneeded]
            said["root"]["handlers"].remove(unneeded)
        self.config = folder / "logging.yaml"
        self.config.write_text(yaml.safe_dump(said))
        self.gate = folder / "gate"
        self.gate.touch()
        self.logged = 0
        self.asked = 0
        self.start()

    def start(self) -> None:
        """Start the process anew."""
        with (self.folder / "stderr").open("a") as stderr:
            self.process = subprocess.Popen(
                [
                    *_apart(self.folder.name),
                    sys.executable,
                    "-c",
                    _WORKER,
                    str(self.config),
                    str(self.gate),
                    str(self.lease),
                ],
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )

    def fail(self, number: int) -> None:
        """Have the process fail so many times; it goes on while this returns."""
        self.process.stdin.write(f"{self.asked} {number}\n")
        self.process.stdin.flush()
        self.asked += number

    def wait(self) -> None:
        """Wait until all is logged that was asked for."""
        while self.logged < self.asked:
            line = self.process.stdout.readline()
            assert line, (self.folder / "stderr").read_text()
            self.logged = int(line) + 1

    def kill(self) -> None:
        """Kill the process between two calls, whatever its other threads are at; then start it anew, to go on."""
        with self.gate.open() as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)  # no call is under way
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        out, _ = self.process.communicate()
        self.logged = int(out.split()[-1]) + 1 if out else self.logged
        left, self.asked = self.asked - self.logged, self.logged
        self.start()
        if left:
            self.fail(left)

    def cut_off(self) -> None:
        """Have the process neither say nor hear anything, in the midst of whatever it does."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End that."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Let the process end in order."""
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0, (self.folder / "stderr").read_text()

    def loghub(self, *arguments) -> str:
        """Run a verb with this host's configuration; return what it printed."""
        command = [sys.executable, "-m", "loghub", *map(str, arguments), "--config", str(self.config)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def groups(self) -> list[dict]:
        """Return the groups that the ledger has."""
        return json.loads(self.loghub("groups", "--json", "-n", "1000"))
