"""Signals reach the command once, and it stops and goes on as if it were alone."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import sys
import termios

import pytest

from tests.processes import run as run_python
from tests.supervise.bare import THROUGH, Running, Screen, python, until

SENT = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD})
TELLER = python("""if True:
    import os, signal
    every = signal.valid_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, every)
    os.write(1, b"ready\\n")
    while True:
        os.write(1, b"<%d>\\n" % signal.sigwait(every))
""")
COUNTER = python("""if True:
    import os, signal
    counts = {}
    def count(number, frame):
        counts[number] = counts.get(number, 0) + 1
    def say(number, frame):
        os.write(1, f"{sorted(counts.items())}\\n".encode())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGRTMIN, signal.SIGCONT, signal.SIGWINCH):
        signal.signal(number, count)
    signal.signal(signal.SIGUSR1, say)
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)  # a signal that comes just before pause() would wait for the next one
    os.write(1, b"ready\\n")
    while True:
        os.read(told, 99)
""")


def test_each_signal_arrives():
    """Every signal that a process can catch, real-time ones too, is handed to the command."""
    with Running(THROUGH + TELLER) as running:
        running.expect(b"ready")
        for number in SENT:
            os.kill(running.pid, number)
            running.expect(b"<%d>" % number)


def test_storm_of_signals():
    """Of 1000 TERM some fall together, as always; of 200 real-time signals each one arrives."""
    with Running(THROUGH + TELLER) as running:
        running.expect(b"ready")
        for _ in range(1000):
            os.kill(running.pid, signal.SIGTERM)
        for _ in range(200):
            os.kill(running.pid, signal.SIGRTMIN)
        os.kill(running.pid, signal.SIGRTMAX)  # the last that is taken
        told = running.expect(b"<%d>" % signal.SIGRTMAX)
        assert told.count(b"<%d>" % signal.SIGRTMIN) == 200
        assert 1 <= told.count(b"<%d>" % signal.SIGTERM) <= 1000


def test_signal_before_the_command():
    """What is sent before there is a command waits for it."""
    out, _ = run_python("""
        import os, signal
        from loghub.supervise import child
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        os.kill(os.getpid(), signal.SIGUSR1)
        script = "import signal; print(signal.sigwait({signal.SIGUSR1}).name)"
        child.leave(child.run(["python3", "-S", "-c", script], watch=print))
    """)
    assert out == "SIGUSR1\n"


def test_programs_of_other_threads():
    """What a handler starts beside the command has its own exit code to itself, and blocks no more than the command."""
    out, _ = run_python("""
        import os, signal, subprocess, threading
        from loghub.supervise import child
        def ended(code):
            process = subprocess.Popen(["sh", "-c", f"exit {code}"])
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            for _ in range(2):  # when the second is taken, whoever waits for the command has looked
                os.kill(os.getpid(), signal.SIGCHLD)
                while signal.SIGCHLD in signal.sigpending():
                    pass
            return process.wait()
        def beside():
            codes = [ended(code) for code in (3, 4, 5)]
            said = subprocess.run(["grep", "SigBlk", "/proc/self/status"], capture_output=True, text=True).stdout
            print(codes, int(said.split()[1], 16), flush=True)
            os.write(writes, b"over")
        beside = threading.Thread(target=beside)
        reads, writes = os.pipe()
        os.set_inheritable(reads, True)
        waits = ["sh", "-c", f"head -c 4 <&{reads} >/dev/null"]
        child.leave(child.run(waits, watch=print, on_start=lambda _: beside.start()))
    """)
    assert out == "[3, 4, 5] 0\n"


def test_alarm_set_before():
    """An alarm that was set before we began (perl -e 'alarm 1; exec ...') is the command's."""
    with Running(THROUGH + TELLER, preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 0.4)) as running:
        running.expect(b"<%d>" % signal.SIGALRM)


def test_signal_to_a_blocked_writer():
    """While nobody reads what the command writes, signals reach it all the same, and nothing is lost."""
    writer = python("""if True:
        import os, signal
        signal.signal(signal.SIGTERM, lambda *_: os._exit(3))
        os.write(1, b"%d\\n" % os.getpid())
        while True:
            os.write(2, b"x" * 65536)
    """)
    with Running(THROUGH + writer) as running:
        pid = int(running.expect(b"\n"))
        until(lambda: _waiting(running.process.stderr) >= 65536, "a full pipe")
        os.kill(running.pid, signal.SIGTERM)
        until(lambda: not os.path.exists(f"/proc/{pid}"), "the command's end")
        _, err, status = running.rest()
        assert status == 3 << 8
        assert set(err) == {ord("x")}


def test_in_a_hurry():
    """A second TERM, when the command has ended and nobody reads what it left, lets us end as it did."""
    with Running([*THROUGH, "sh", "-c", "echo $$; head -c 100000 /dev/zero >&2; exit 9"]) as running:
        pid = int(running.expect(b"\n"))
        until(lambda: not os.path.exists(f"/proc/{pid}"), "the command's end")
        os.kill(running.pid, signal.SIGTERM)
        assert running.status() == 9 << 8


def _waiting(file):
    return struct.unpack("i", fcntl.ioctl(file, termios.FIONREAD, bytes(4)))[0]


@pytest.mark.parametrize(("key", "number"), [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)])
def test_ctrl_c_comes_once(key, number):
    """What the terminal gives to the whole foreground group is not given to the command again; kill's is."""
    with Screen(THROUGH + COUNTER) as screen:
        screen.expect(b"ready")
        for times in (1, 2):
            screen.type(key)
            until(lambda times=times: _told(screen).get(number) == times, "the key's signal")
        assert _told(screen) == {number: 2}
        os.kill(screen.pid, number)
        until(lambda: _told(screen).get(number) == 3, "the third")


def _told(screen):
    screen.got.clear()
    os.kill(screen.pid, signal.SIGUSR1)
    return _counts(screen.expect(b"]\r\n"))


def _counts(shown):
    return {int(number): int(times) for number, times in re.findall(rb"\((\d+), (\d+)\)", shown)}


def test_signal_to_its_own_group():
    """A command that signals its whole process group gets its own signal once."""
    script = """if True:
        import os, signal
        got = []
        signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
        os.kill(0, signal.SIGTERM)
        signal.sigtimedwait({signal.SIGUSR2}, 0.3)
        print(len(got))
    """
    with Running(THROUGH + python(script)) as running:
        assert running.rest() == (b"1\n", b"", 0)


def test_hang_up(tmp_path):
    """When the terminal hangs up, the command gets the signal that only the session's leader is sent."""
    said = tmp_path / "said"
    script = f"trap 'echo hup >{said}; exit 0' HUP; echo ready; while :; do sleep 0.02; done"
    screen = Screen([*THROUGH, "sh", "-c", script])
    screen.expect(b"ready")
    os.close(screen.slave)
    os.close(screen._master)
    until(lambda: said.exists() and said.read_text("utf-8") == "hup\n", "the hang-up")
    assert screen.process.wait(20) == 0


# Stands for a shell with job control: runs a job in its own group, in the foreground.
SHELL = """if True:
    import os, signal, sys
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if not job:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(sys.argv[1], sys.argv[1:])
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            os.write(1, b"[ended %d]" % status)
            break
        os.write(1, b"[stopped %d]" % os.WSTOPSIG(status))
        sys.stdin.readline()
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
"""


def _shell(command):
    return Screen([sys.executable, "-c", SHELL, *command])


def test_ctrl_z_and_fg():
    """Ctrl-Z stops the command and us, by the same signal; fg has both go on, and the command is told once."""
    with _shell(THROUGH + COUNTER) as screen:
        screen.expect(b"ready")
        for _ in range(3):
            screen.got.clear()
            screen.type(b"\x1a")
            screen.expect(b"[stopped %d]" % signal.SIGTSTP)
            screen.type(b"fg\n")
            pid = until(lambda: screen._foreground() not in (screen.pid, 0) and screen._foreground(), "the job")
            # Keys that come before fg's CONT would be taken back by it.
            until(lambda pid=pid: "T" not in map(_state, [pid, *_children(pid)]), "its going on")
        screen.got.clear()
        os.kill(pid, signal.SIGUSR1)
        assert _counts(screen.expect(b"]\r\n"))[signal.SIGCONT] <= 6
        os.kill(pid, signal.SIGKILL)
        screen.expect(b"[ended 9]")


@pytest.mark.parametrize("stop", ["STOP", "TSTP", "TTIN"])
def test_command_that_stops_itself(stop):
    """A command that stops by itself gives the terminal back to the shell, and goes on with fg."""
    script = f'printf "before\\n"; kill -{stop} $$; printf "after\\n"; exit 4'
    with _shell([*THROUGH, "sh", "-c", script]) as screen:
        shown = screen.expect(b"[stopped %d]" % signal.Signals[f"SIG{stop}"])
        assert shown.startswith(b"before\r\n")  # all of it is there before the shell's prompt
        screen.type(b"fg\n")
        shown = screen.expect(b"[ended 1024]")
        assert shown.count(b"after") == 1


def test_stopped_without_a_shell():
    """Where nobody would have us go on, a stopped command is waited for, and CONT is handed to it."""
    with Running(THROUGH + COUNTER) as running:
        running.expect(b"ready")
        (pid,) = _children(running.pid)
        os.kill(running.pid, signal.SIGTSTP)  # an orphaned group: the kernel stops nobody
        os.kill(pid, signal.SIGSTOP)
        until(lambda: _state(pid) == "T", "the stop")
        os.kill(running.pid, signal.SIGTERM)
        assert _state(running.pid) != "T"
        os.kill(running.pid, signal.SIGCONT)
        until(lambda: _state(pid) != "T", "its going on")
        # It may wake to both at once, and Python calls the handler of the lower number first: the second answer counts.
        for _ in range(2):
            running.got["stdout"].clear()
            os.kill(running.pid, signal.SIGUSR1)
            counts = _counts(running.expect(b"]\n"))
        assert counts[signal.SIGTERM] == 1


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def _state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0]
