"""Runs commands bare and through `loghub run`'s half that runs them, to compare what can be seen from without."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from tests.processes import environment

_SCRIPT = """if True:
    import sys
    from loghub.supervise import child
    try:
        ended = child.run(sys.argv[1:], watch=lambda chunk: None)
    except child.StartError as error:
        sys.exit(error.code)
    child.leave(ended)
"""
THROUGH = [sys.executable, "-c", _SCRIPT]
WAYS = {"bare": [], "through": THROUGH}
SECONDS = 20.0


def python(script):
    """Return the command that runs a script in Python, quickly started."""
    return [sys.executable, "-S", "-E", "-c", script]


def until(holds, what="it"):
    """Wait until something holds."""
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what} never came"
        select.select([], [], [], 0.005)
    return found


class Running:
    """A command on pipes; what it wrote is collected, and it is killed at the end."""

    def __init__(self, argv, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        self.process = subprocess.Popen(argv, env=environment(), start_new_session=True, **options)
        self.pid = self.process.pid
        self.got = {name: bytearray() for name in ("stdout", "stderr")}

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            if file:
                file.close()

    def expect(self, text, name="stdout"):
        """Read until `text` is there."""
        file = getattr(self.process, name)
        deadline = time.monotonic() + SECONDS
        while text not in self.got[name]:
            left = deadline - time.monotonic()
            came = left > 0 and select.select([file], [], [], left)[0]
            assert came, f"{text} never came: {bytes(self.got[name])}"
            chunk = os.read(file.fileno(), 65536)
            assert chunk, f"ended without {text}: {bytes(self.got[name])}"
            self.got[name] += chunk
        return bytes(self.got[name])

    def status(self):
        """Return the raw wait status, when it has ended."""
        status = until(lambda: [status for pid, status in [os.waitpid(self.pid, os.WNOHANG)] if pid], "the end")[0]
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return status

    def rest(self):
        """Return all that it wrote, to the end of both streams, and its status."""
        files = {file: got for name, got in self.got.items() if (file := getattr(self.process, name))}
        while files:
            ready = select.select(files, [], [], SECONDS)[0]
            assert ready, f"never ended: {self.got}"
            for file in ready:
                if chunk := os.read(file.fileno(), 1 << 20):
                    files[file].extend(chunk)
                else:
                    del files[file]
        return bytes(self.got["stdout"]), bytes(self.got["stderr"]), self.status()


def ran(argv, way, **options):
    """Run a command to its end; return stdout, stderr and the status."""
    with Running(WAYS[way] + argv, **options) as running:
        return running.rest()


def same(argv, **options):
    """Assert that a command's streams and status are the same bare and through us; return them."""
    bare, through = (ran(argv, way, **options) for way in WAYS)
    assert through == bare
    return bare


class Screen:
    """A command on a real terminal, of which this is the other side."""

    def __init__(self, argv, **streams):
        self._master, slave = os.openpty()
        self.resize(24, 80)
        options = {
            "preexec_fn": lambda: os.login_tty(slave) or _redirect(streams),
            "pass_fds": (slave, *streams.values()),
        }
        self.process = subprocess.Popen(argv, env=environment(TERM="xterm"), **options)
        self.slave = slave
        self.pid = self.process.pid
        self.got = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        if self.process.returncode is None:
            for pid in (self.pid, self._foreground()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)
        os.close(self.slave)

    def _foreground(self):
        return struct.unpack("i", fcntl.ioctl(self._master, termios.TIOCGPGRP, bytes(4)))[0] or self.pid

    def resize(self, lines, columns):
        """Give the terminal another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys):
        """Press keys."""
        os.write(self._master, keys)

    def modes(self):
        """Return the terminal's modes."""
        return termios.tcgetattr(self._master)

    def expect(self, text):
        """Read the screen until `text` is there; return all that came."""
        deadline = time.monotonic() + SECONDS
        while text not in self.got:
            left = deadline - time.monotonic()
            came = left > 0 and select.select([self._master], [], [], left)[0]
            assert came, f"{text} never came: {bytes(self.got)}"
            self.got += os.read(self._master, 65536)
        return bytes(self.got)

    def rest(self):
        """Read until the command has ended and all it wrote has come; return that and the raw status."""
        status, deadline = None, time.monotonic() + SECONDS
        while status is None or select.select([self._master], [], [], 0)[0]:
            if select.select([self._master], [], [], 0.01)[0]:
                self.got += os.read(self._master, 65536)
            if status is None:
                assert time.monotonic() < deadline, f"never ended: {bytes(self.got)}"
                pid, found = os.waitpid(self.pid, os.WNOHANG)
                status = found if pid else None
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return bytes(self.got), status


def _redirect(streams):
    for name, fd in streams.items():
        os.dup2(fd, {"stdin": 0, "stdout": 1, "stderr": 2}[name])
