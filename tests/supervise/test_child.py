"""A command's end, and what it is given: the same through loghub as bare."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import textwrap

import pytest

from loghub.supervise import child
from tests.processes import run as run_python
from tests.supervise.bare import THROUGH, Running, python, ran, same, until

DEADLY = ["HUP", "INT", "QUIT", "ILL", "ABRT", "FPE", "KILL", "USR1", "SEGV", "PIPE", "ALRM", "TERM", "USR2", "XCPU"]


@pytest.mark.slow
def test_every_exit_code():
    """Each exit code from 0 to 255 is passed on."""
    out, _ = run_python("""
        import os
        from loghub.supervise import child
        for code in range(256):
            if not (pid := os.fork()):
                child.leave(child.run(["sh", "-c", f"exit {code}"], watch=print))
            print(os.waitpid(pid, 0)[1] == code << 8)
    """)
    assert out.split() == ["True"] * 256


@pytest.mark.parametrize("name", [*DEADLY, "RTMIN+3"])
def test_death_by_signal(name):
    """A command that dies by a signal has us die by it: the same wait status."""
    number = signal.SIGRTMIN + 3 if "RT" in name else signal.Signals[f"SIG{name}"]
    out, err, status = same(["sh", "-c", f"kill -{int(number)} $$"])
    assert (out, err) == (b"", b"")
    assert os.WTERMSIG(status) == number


@pytest.mark.parametrize("name", DEADLY)
def test_signal_from_without(name):
    """A signal sent to us kills the command, and us as it would have killed the command."""
    number = signal.Signals[f"SIG{name}"]
    found = []
    for way in ([], THROUGH):
        with Running([*way, "sh", "-c", "echo $$; exec sleep 60"]) as running:
            pid = int(running.expect(b"\n"))
            os.kill(running.pid, number)
            found.append(running.status())
            until(lambda pid=pid: not _lives(pid), "the command's end")
    assert found[0] == found[1]


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_killed_wrapper_leaves_no_command():
    """Whoever kills us with SIGKILL has killed the command, even one that ignores all it can."""
    with Running([*THROUGH, "sh", "-c", "trap '' TERM HUP INT; echo $$; while :; do sleep 60; done"]) as running:
        pid = int(running.expect(b"\n"))
        os.kill(running.pid, signal.SIGKILL)
        assert running.status() == signal.SIGKILL
        until(lambda: not _lives(pid), "the command's end")


def test_no_core_of_ours(tmp_path):
    """A command that dumps core leaves its own file; we leave none and end by the same signal."""

    def cores():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    script = 'cd "$1" && mkdir -p a && cd a && ulimit -c 0 && kill -SEGV $$'
    with Running([*THROUGH, "sh", "-c", script, "sh", str(tmp_path)], cwd=tmp_path, preexec_fn=cores) as running:
        assert os.WTERMSIG(running.status()) == signal.SIGSEGV
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (None, 127, "there is no such file"),
        ("text", 126, "is not executable"),
        ("#!/nowhere/at/all\n", 127, "its first line"),
        ("folder", 126, "is not executable"),
    ],
)
def test_no_start(tmp_path, make, code, says):
    """What cannot be started is said in a sentence, with a shell's exit code for it; signals are as before."""
    path = tmp_path / "command"
    if make == "folder":
        path.mkdir()
    elif make:
        path.write_text(make, "utf-8")
        path.chmod(0o755 if make.startswith("#!") else 0o644)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGCHLD)
    with pytest.raises(child.StartError, match=says) as caught:
        child.run([str(path)], watch=print)
    assert caught.value.code == code
    assert (signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGCHLD)) == before
    assert os.waitstatus_to_exitcode(ran(["sh", "-c", '"$1"', "sh", str(path)], "bare")[2]) == code


def test_no_such_command(tmp_path, monkeypatch):
    """A name that PATH does not lead to is code 127; one that it leads to without the right to execute is 126."""
    (tmp_path / "locked").write_text("", "utf-8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    for name, code in (("nowhere-at-all", 127), ("locked", 126)):
        with pytest.raises(child.StartError) as caught:
            child.run([name], watch=print)
        assert caught.value.code == code


def test_script_without_first_line(tmp_path):
    """An executable text is given to the shell, as execvp does."""
    script = tmp_path / "script"
    script.write_text('echo "$0 $1"', "utf-8")
    script.chmod(0o755)
    assert ran([str(script), "a b"], "through") == (f"{script} a b\n".encode(), b"", 0)


def test_arguments_and_surroundings(tmp_path):
    """Arguments, environment, folder, umask, nice, limits, groups and descriptors are the command's own."""
    reads, writes = os.pipe()
    os.set_inheritable(writes, True)

    def strange():
        os.umask(0o027)
        os.nice(3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (77, 99))

    script = """if True:
        import os, resource, signal, sys
        print(sys.argv[1:], os.environb, os.getcwd(), os.umask(0), os.nice(0))
        print(resource.getrlimit(resource.RLIMIT_NOFILE))
        print(sorted(os.listdir("/proc/self/fd")), os.getpgid(0) == os.getppid() or os.getpgid(0) == os.getpid())
        print([line for line in open("/proc/self/status") if line.startswith(("SigP", "SigB", "SigI", "SigC", "Shd"))])
    """
    try:
        argv = [*python(script), "", "a b", "*", "'", "\udcff", "new\nline"]
        options = {"cwd": tmp_path, "preexec_fn": strange, "close_fds": False, "restore_signals": True}
        out, err, status = same(argv, **options)
        assert (err, status) == (b"", 0)
        assert f"'{writes}'".encode() in out
    finally:
        os.close(reads)
        os.close(writes)


@pytest.mark.parametrize("ignored", [{signal.SIGHUP}, {signal.SIGINT, signal.SIGCHLD, signal.SIGTSTP}])
@pytest.mark.parametrize("blocked", [set(), {signal.SIGUSR1, signal.SIGTERM}])
def test_signals_as_given(ignored, blocked):
    """What is ignored and what is blocked stays so for the command; nothing else is, though Python ignores SIGPIPE."""

    def strange():
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    _, _, status = same(["grep", "^Sig[PBIC]", "/proc/self/status"], preexec_fn=strange)
    assert status == 0


@pytest.mark.parametrize("given", [{}, {"LC_CTYPE": "C"}, {"LC_ALL": "C"}])
def test_locale_is_not_touched(given):
    """The variable that Python sets for itself in the C locale is not handed on."""
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(os.getcwd())} | given
    bare, through = (
        subprocess.run([*way, "env"], env=variables, capture_output=True, check=True).stdout for way in ([], THROUGH)
    )
    assert sorted(through.split()) == sorted(bare.split())


def test_environment_of_the_caller():
    """A caller's environment is the command's, and its PATH the one that is searched."""
    out, _ = run_python("""
        import os
        from loghub.supervise import child
        path = os.environ["PATH"]
        os.environ["PATH"] = "/nowhere"
        script = 'printf %s "$A $B" | od -An -c'
        child.leave(child.run(["sh", "-c", script], env={"PATH": path, "A": "1", "B": "\\udcff"}, watch=print))
    """)
    assert out.split() == ["1", "377"]


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [0, 1, 2]])
def test_closed_streams(closed, tmp_path):
    """A standard stream that is closed is closed for the command, too."""
    options = {"preexec_fn": lambda: [os.close(fd) for fd in closed], "stdin": None, "stdout": None, "stderr": None}
    script = 'for f in 0 1 2; do test -e /proc/self/fd/$f && echo $f; done >"$1"; exit 0'
    said = []
    for way in ([], THROUGH):
        with Running([*way, "sh", "-c", script, "sh", str(tmp_path / "said")], **options) as running:
            assert running.status() == 0
        said.append((tmp_path / "said").read_text("utf-8"))
    assert said[0] == said[1]


def test_what_is_told():
    """Pid, raw status and both times are told; the pid as soon as the command runs."""
    out, _ = run_python("""
        import datetime, os
        from loghub.supervise import child
        times = iter([datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 2)])
        pids = []
        ended = child.run(["sh", "-c", "exit 3"], watch=print, on_start=pids.append, now=lambda: next(times))
        print(pids == [ended.pid], ended.status, ended.started_at.day, ended.ended_at.day)
    """)
    assert out == "True 768 1 2\n"


def test_watchers_that_fail():
    """What a watcher raises changes nothing for the command."""
    out, err = run_python("""
        from loghub.supervise import child
        def fail(what):
            raise RuntimeError(what)
        ended = child.run(["sh", "-c", "echo out; echo err >&2; echo more >&2"], watch=fail, on_start=fail)
        print(ended.status)
    """)
    assert (out, err) == ("out\n0\n", "err\nmore\n")


NEEDS = "unshare --pid --fork --kill-child --mount-proc true"


@pytest.fixture
def as_pid_1():
    """Return the words that run a command as PID 1, which not every machine allows to others than root."""
    *words, end = NEEDS.split()
    for one in (words, [*words, "--map-root-user"]):
        if subprocess.run([*one, end], capture_output=True, check=False).returncode == 0:
            return one
    assert os.getuid() != 0, "root can always have a PID namespace"
    return pytest.skip("this machine lets only root have a PID namespace")


def test_pid_1_reaps(as_pid_1):
    """As PID 1 we reap the orphans of others, and still end as the command does."""
    script = textwrap.dedent("""
        for i in 1 2 3; do sh -c 'sh -c "exit 1" & exit 0'; done
        n=0
        while test $n -lt 200; do
            n=$((n + 1))
            test "$(ps -o ppid=,stat= | grep -c '1 Z')" = 0 && exit 42
            sleep 0.05
        done
    """)
    with Running([*as_pid_1, *THROUGH, "sh", "-c", script]) as running:
        assert running.rest() == (b"", b"", 42 << 8)


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV"])
def test_pid_1_ends_by_number(as_pid_1, name):
    """PID 1 cannot die by its own signal: it exits with 128 plus the signal's number."""
    number = signal.Signals[f"SIG{name}"]
    with Running([*as_pid_1, *THROUGH, "sh", "-c", f"kill -{name} $$"]) as running:
        assert os.waitstatus_to_exitcode(running.status()) == 128 + number


def test_pid_1_hands_signals_on(as_pid_1):
    """A signal to PID 1, as a container's end is asked for, reaches the command."""
    script = "trap 'echo told; exit 5' TERM; echo ready; while :; do sleep 0.01; done"
    with Running([*as_pid_1, *THROUGH, "sh", "-c", script]) as running:
        running.expect(b"ready")
        (pid,) = map(int, _children(running.pid))
        os.kill(pid, signal.SIGTERM)
        assert running.rest() == (b"ready\ntold\n", b"", 5 << 8)


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()
