"""What a command writes arrives as it would have arrived, on pipes, files and sockets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import subprocess

import pytest

from tests.processes import run as run_python
from tests.supervise.bare import THROUGH, WAYS, Running, python, ran, same, until

TURNS = python("""if True:
    import os
    for number in range(2000):
        os.write(1 + number * 7 % 3 % 2, b"%d\\n" % number)
""")


def test_bytes_untouched():
    """NUL, invalid UTF-8, returns and partial lines pass unchanged."""
    script = "import os; os.write(1, bytes(range(256))); os.write(2, bytes(range(256)) * 5 + b'\\r\\n\\n\\rend')"
    out, err, status = same(python(script))
    assert (out, err, status) == (bytes(range(256)), bytes(range(256)) * 5 + b"\r\n\n\rend", 0)


def test_part_of_a_line():
    """What is written arrives at once, though its line is not complete."""
    with Running([*THROUGH, "sh", "-c", "printf a >&2; read x; printf b >&2"], stdin=subprocess.PIPE) as running:
        running.expect(b"a", "stderr")
        os.write(running.process.stdin.fileno(), b"\n")
        assert running.rest() == (b"", b"ab", 0)


def test_stdin_is_the_commands():
    """Stdin is not read by us: what the command leaves is there for the next."""
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb", 0) as read, os.fdopen(writes, "wb", 0) as write:
        write.write(b"one\ntwo\n")
        with Running([*THROUGH, "sh", "-c", "read x; echo $x"], stdin=read) as running:
            assert running.rest() == (b"one\n", b"", 0)
        assert read.read(100) == b"two\n"


def test_order_in_one_pipe():
    """With 2>&1 the order of stdout and stderr is kept."""
    expected = b"".join(b"%d\n" % number for number in range(2000))
    for way in WAYS:
        assert ran(TURNS, way, stderr=subprocess.STDOUT) == (expected, b"", 0)


@pytest.mark.parametrize("words", [">f 2>&1", ">>f 2>&1", ">>f 2>>f", "2>f >&2", ">f 2>g", "2>f", ">f 2>f"])
def test_files(tmp_path, words):
    """Files hold the same, whether appended to, shared, or written by two who overwrite each other."""
    found = []
    script = "import os, time\nfor number in range(500): os.write(1, b'o%d\\n' % number)\n"
    late = "os.write(2, b'error %d\\n' % number)"
    argv = python(f"{script}for number in range(500): {late}") if words == ">f 2>f" else TURNS
    for way, through in WAYS.items():
        folder = tmp_path / way
        folder.mkdir()
        (folder / "f").write_bytes(b"before\n")
        with Running(["sh", "-c", f'exec "$@" {words}', "sh", *through, *argv], cwd=folder) as running:
            found.append((running.rest(), {path.name: path.read_bytes() for path in folder.iterdir()}))
    assert found[0] == found[1]


def test_socket_and_nothing():
    """A socket gets what the command writes; so does /dev/null, and the watcher sees it."""
    mine, theirs = socket.socketpair()
    with mine, theirs:
        with Running([*THROUGH, "sh", "-c", "echo to a socket >&2"], stderr=theirs) as running:
            assert running.rest() == (b"", b"", 0)
        assert mine.recv(100) == b"to a socket\n"
    out, _ = run_python("""
        import os
        from loghub.supervise import child
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        seen = []
        child.run(["sh", "-c", "echo unseen >&2; echo out"], watch=seen.append)
        print(seen)
    """)
    assert out == "out\n[b'unseen\\n']\n"


def test_watcher_sees_all_of_the_shared_stream():
    """The watcher gets stderr, and stdout as well where both are one stream."""
    script = """
        import os, sys
        from loghub.supervise import child
        seen = []
        child.run(["sh", "-c", "echo out; echo err >&2"], watch=seen.append)
        sys.stdout.write("seen " + ascii(b"".join(seen)))
    """
    assert run_python(script)[0] == "out\nseen b'err\\n'"
    assert run_python("import os; os.dup2(1, 2)\nif True:" + script)[0] == "out\nerr\nseen b'out\\nerr\\n'"


@pytest.mark.parametrize("stream", ["1", "2"])
def test_reader_that_goes(stream):
    """A command whose reader goes dies by SIGPIPE, as it would have died, at the first write after that."""
    script = f"echo ready >&{stream}; read x; echo >&{stream}; echo again >&{stream}; exit 1"
    found = []
    for through in WAYS.values():
        with Running([*through, "sh", "-c", script], stdin=subprocess.PIPE) as running:
            name = {"1": "stdout", "2": "stderr"}[stream]
            running.expect(b"ready\n", name)
            getattr(running.process, name).close()
            if through and stream == "2":
                until(lambda pid=running.pid: not _reads_a_pipe(pid), "our closing")
            os.write(running.process.stdin.fileno(), b"\n")
            found.append(running.status())
    assert found[0] == found[1] == 13


def _reads_a_pipe(pid):
    """Return whether the process still has the pipe open from which its child's stderr comes."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        child = file.read().split()[0]
    wanted = os.readlink(f"/proc/{child}/fd/2")
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return wanted in found


def test_endless_writer_and_short_reader():
    """`yes | head` ends, through us as well, for either stream."""
    for words in ("yes", "sh -c 'exec yes >&2'"):
        argv = ["bash", "-c", f'set -o pipefail; "$@" {words} 2>&1 | head -n 1', "bash", *THROUGH]
        with Running(argv) as running:
            out, err, status = running.rest()
        assert (out, err, os.waitstatus_to_exitcode(status)) == (b"y\n", b"", 128 + 13)


def test_command_that_leaves_a_daemon():
    """We do not wait for a process that the command leaves behind, and it can go on writing to where it wrote."""
    script = "(read x <go; echo late >&2; echo later >&2; echo done >fate) & echo now >&2; exit 6"
    with Running(
        ["sh", "-c", 'cd "$(mktemp -d)"; mkfifo go; pwd; exec "$@"', "sh", *THROUGH, "sh", "-c", script]
    ) as running:
        folder = running.expect(b"\n").decode().strip()
        assert running.status() == 6 << 8
        running.expect(b"now\n", "stderr")
        with open(f"{folder}/go", "w", encoding="ascii") as go:
            go.write("\n")
        running.expect(b"late\nlater\n", "stderr")
        until(lambda: os.path.exists(f"{folder}/fate"), "the daemon's end")
        # Whoever passed it on has gone with it: the stream is at its end.
        assert select.select([running.process.stderr], [], [], 20)[0]
        assert os.read(running.process.stderr.fileno(), 10) == b""


def test_no_descriptors_left():
    """Where there is no descriptor for a pipe the command runs with the stream itself, and a line says so."""
    out, err = run_python("""
        import os, resource
        from loghub.supervise import child
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        seen = []
        for more in range(9):
            taken = []
            try:
                while True:
                    taken.append(os.open("/", os.O_RDONLY))
            except OSError:
                for fd in taken[len(taken) - more :]:
                    os.close(fd)
            try:
                child.run(["sh", "-c", "echo $1 >&2", "sh", str(more)], watch=seen.append)
            except child.StartError as error:
                print(error.code, more)
            for fd in taken[: len(taken) - more]:
                os.close(fd)
        print(b"".join(seen).decode().split())
    """)
    said = [line for line in err.splitlines() if line.startswith("loghub")]
    ran_with = [line for line in err.splitlines() if line.isdigit()]
    assert set(said) == {"loghub: stderr is not watched: Too many open files."}
    assert out.splitlines()[:-1] == ["126 0", "126 1"]
    assert ran_with == [str(more) for more in range(2, 9)]
    assert out.splitlines()[-1] == "['6', '7', '8']"


FLOOD = python("""if True:
    import os, random, sys
    for fd in (1, 2):
        if not os.fork():
            numbers = random.Random(fd)
            block = numbers.randbytes(1 << 20)
            for number in range(100):
                rest = memoryview(b"%08d" % number + block[8 + number :])
                while rest:
                    rest = rest[os.write(fd, rest[: numbers.randrange(1, 1 << 17)]) :]
            os._exit(0)
    os.wait(), os.wait()
""")


@pytest.mark.slow
def test_hundred_megabytes():
    """A hundred megabytes to each stream arrive unchanged."""
    found = []
    for through in WAYS.values():
        with Running(through + FLOOD) as running:
            out, err, status = running.rest()
        found.append((len(out), hashlib.sha256(out).digest(), len(err), hashlib.sha256(err).digest(), status))
    assert found[0] == found[1]
    assert found[0][0] > 100 * 1_000_000
