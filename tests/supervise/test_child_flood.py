"""100 MB on each stream pass through the whole of `loghub run` unchanged."""

from __future__ import annotations

import hashlib
import subprocess
import threading

import pytest

from tests.supervise.bare import python
from tests.supervise.reporting import command, environment

MEGABYTES = 100
FLOOD = f"""if True:
    import os, random
    def write(fd):
        made, left = random.Random(fd), {MEGABYTES} * 1_000_000
        while left:
            block = memoryview(made.randbytes(min(left, made.randrange(1, 200_000))))
            left -= len(block)
            while block:
                block = block[os.write(fd, block):]
    if not os.fork():
        write(1)
        os._exit(0)
    write(2)
    os.wait()
"""
"""Writes noise, the same at each run: every byte, lines of every length, partial ones, blocks of every size."""

pytestmark = pytest.mark.slow


def digest(file):
    """Return the size and the SHA-256 of all that comes from a file."""
    size, sha = 0, hashlib.sha256()
    while chunk := file.read1(1 << 20):
        size += len(chunk)
        sha.update(chunk)
    return size, sha.hexdigest()


def through_pipes(argv, env, folder):
    """Run a command on two pipes; return what came."""
    came = {}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        aside = threading.Thread(target=lambda: came.update(stderr=digest(process.stderr)))
        aside.start()
        came["stdout"] = digest(process.stdout)
        aside.join()
    return came, process.returncode


def to_files(argv, env, folder):
    """Run a command that writes into two files; return what they hold."""
    paths = {name: folder / name for name in ("stdout", "stderr")}
    with paths["stdout"].open("wb") as out, paths["stderr"].open("wb") as err:
        status = subprocess.run(argv, env=env, stdout=out, stderr=err, timeout=120, check=False).returncode
    came = {}
    for name, path in paths.items():
        with path.open("rb") as file:
            came[name] = digest(file)
        path.unlink()
    return came, status


@pytest.mark.parametrize("run", [through_pipes, to_files])
def test_flood(tmp_path, run):
    """What arrives of 100 MB on stdout and 100 MB on stderr is what arrives of the bare command, byte for byte."""
    env, flood = environment(tmp_path / "home"), python(FLOOD)
    bare, status = run(flood, env, tmp_path)
    assert (status, {size for size, _ in bare.values()}) == (0, {MEGABYTES * 1_000_000})
    assert len(set(bare.values())) == 2
    assert run(command("--", *flood), env, tmp_path) == (bare, 0)
