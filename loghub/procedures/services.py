"""A procedure that restarts a service: by systemd, or by a command of one's own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from typing import IO, Any

from loghub import options
from loghub.errors import OptionValueError
from loghub.procedures import arguments as read
from loghub.procedures import clock, reasons

_TAIL_BYTES = 8192


@read.procedure(
    unit=read.optional(read.unit),
    command=read.optional(read.command),
    timeout=read.at_least(options.number, 0.01),
    user=options.flag,
    settle=options.number,
)
def restart_service(
    _event: dict[str, Any],
    /,
    *,
    unit: str | None = None,
    command: list[str] | None = None,
    timeout: float = 30.0,
    user: bool = False,
    settle: float = 1.0,
) -> bool:
    """Restart a service with ``systemctl restart``, or with a command; no shell is involved.

    systemd's unit has to be active `settle` seconds after the restart. A command has to end with exit status 0; it
    must not stay in the foreground.

    Args:
        unit: The unit's name.
        command: A program and its arguments, in place of `unit`.
        timeout: Seconds after which the command is killed, with its process group.
        user: The unit is one of the user's own systemd (``systemctl --user``).
        settle: Seconds from the restart to the question whether the unit is active.

    Returns:
        True if it was restarted.

    Raises:
        OptionValueError: Neither or both of `unit` and `command` are given.
        ProcedureError: The program is missing, took too long, or failed; or the unit is not active afterwards.
    """
    if (unit is None) == (command is None):
        raise OptionValueError("restart_service: give 'unit' or 'command', one of them.")
    if command is not None:
        _demand(command, timeout)
        return True
    systemctl = ["systemctl", *(["--user"] if user else []), "--no-ask-password"]
    _demand([*systemctl, "restart", "--", str(unit)], timeout)
    clock.sleep(settle)
    code, said = _run([*systemctl, "is-active", "--", str(unit)], timeout)
    if code:
        reasons.fail(f"{unit} was restarted, but is not active {settle:g} s later: {said or f'exit status {code}'}.")
    return True


def _demand(command: list[str], timeout: float) -> None:
    code, said = _run(command, timeout)
    if code:
        ended = f"was ended by signal {-code}" if code < 0 else f"failed with exit status {code}"
        reasons.fail(f"{_shown(command)} {ended}{f', saying: {said}' if said else ' and said nothing'}.")


def _run(command: list[str], timeout: float) -> tuple[int, str]:
    """Return the exit status of a command, negative for a signal, and the last line that it printed."""
    # A file, not a pipe: what the command started may hold its output open for as long as it lives.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the administrator's own
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        except (OSError, ValueError) as error:
            reasons.fail(f"{_shown(command)} could not be started: {reasons.of(error)}.")
        try:
            return process.wait(timeout), _last_line(output)
        except subprocess.TimeoutExpired:
            _kill(process)
            said = _last_line(output)
        except BaseException:
            _kill(process)
            raise
    return reasons.fail(
        f"{_shown(command)} did not end within {timeout:g} s and was killed{f'; it said last: {said}' if said else ''}."
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was not waited for yet, and its group: the number is still its own."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _last_line(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL_BYTES))
    lines = output.read().decode(errors="replace").split("\n")
    return next((reasons.short(line) for line in reversed(lines) if line.strip()), "")


def _shown(command: list[str]) -> str:
    return reasons.short(" ".join(command))
