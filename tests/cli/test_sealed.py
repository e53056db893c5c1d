"""What is sealed reaches neither network nor disk, and everything works again afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading

import pytest

from loghub.cli.sealed import SealedError, sealed, silenced

REACHES = {
    "write": lambda path: open(path, "w"),  # noqa: SIM115
    "append": lambda path: open(path, "ab"),  # noqa: SIM115
    "os.open": lambda path: os.open(path, os.O_WRONLY | os.O_CREAT),
    "mkdir": lambda path: os.mkdir(path / "new"),
    "remove": os.remove,
    "rename": lambda path: os.rename(path, path.with_name("other")),
    "chmod": lambda path: os.chmod(path, 0o777),
    "copy": lambda path: shutil.copyfile(path, path.with_name("copy")),
    "sqlite": sqlite3.connect,
    "connect": lambda path: socket.create_connection(("127.0.0.1", 9)),
    "datagram": lambda path: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "resolve": lambda path: socket.getaddrinfo("example.com", 80),
    "process": lambda path: subprocess.run([sys.executable, "-c", ""], check=False),
    "system": lambda path: os.system("true"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("reach", REACHES)
def test_kept_inside(tmp_path, reach):
    """Whoever reaches out gets an error that says what it was kept from, and nothing has happened."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    inside.mkdir()
    outside.write_text("as it was", "utf-8")
    with sealed(str(inside)) as seal, pytest.raises(SealedError, match="does not allow"):
        REACHES[reach](outside)
    assert len(seal.kept) == 1
    assert outside.read_text("utf-8") == "as it was"
    assert sorted(os.listdir(tmp_path)) == ["inside", "outside"]


def test_allowed(tmp_path):
    """Reading anything, writing below the folder, and asking git are let through; nothing is noted."""
    with sealed(str(tmp_path)) as seal:
        with open(__file__, encoding="utf-8") as file:
            assert file.read()
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
        with open(os.devnull, "wb") as file:
            file.write(b"x")
        sqlite3.connect(":memory:").close()
        subprocess.run(["git", "--version"], check=True, capture_output=True)
        os.rename(tmp_path, tmp_path) if os.name == "nt" else None
    assert seal.kept == {}


def test_link_out(tmp_path):
    """A link within the folder does not lead out of it."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    inside.mkdir()
    outside.write_text("as it was", "utf-8")
    os.symlink(outside, inside / "link")
    with sealed(str(inside)), pytest.raises(SealedError):
        open(inside / "link", "w")  # noqa: SIM115
    assert outside.read_text("utf-8") == "as it was"


def test_open_again(tmp_path):
    """Afterwards nothing is sealed any more, also where something failed inside."""
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(ZeroDivisionError), sealed(str(inside)):
        raise ZeroDivisionError
    (tmp_path / "outside").write_text("written", "utf-8")
    assert tempfile.gettempdir() != str(inside)


def test_bytecode(tmp_path):
    """That an import may not keep its bytecode is nothing that anybody has to know."""
    inside = tmp_path / "inside"
    inside.mkdir()
    with sealed(str(inside)) as seal, pytest.raises(SealedError):
        os.mkdir(tmp_path / "__pycache__")
    assert seal.kept == {}


def test_thread_that_stays(tmp_path):
    """A thread that began inside stays sealed afterwards; others are free."""
    inside, go, said = tmp_path / "inside", threading.Event(), []
    inside.mkdir()

    def write():
        go.wait(10)
        try:
            (tmp_path / "late").write_text("x", "utf-8")
        except SealedError as error:
            said.append(error)

    with sealed(str(inside)):
        thread = threading.Thread(target=write)
        thread.start()
    go.set()
    thread.join()
    assert len(said) == 1
    (tmp_path / "outside").write_text("written", "utf-8")
    assert sorted(os.listdir(tmp_path)) == ["inside", "outside"]


def test_silenced(capfd):
    """Nothing is printed in any way, also through a stream that somebody kept; afterwards all is as it was."""
    kept = sys.__stderr__, sys.__stdout__
    with silenced():
        print("one")
        print("two", file=sys.stderr)
        kept[0].write("three")
        kept[0].flush()
        kept[1].write("four")
        os.write(1, b"five")
        subprocess.run([sys.executable, "-c", "print('six')"], check=True)
        sys.stdout.close()
        print("seven")
    print("after")
    os.write(2, b"after")
    assert kept == (sys.__stderr__, sys.__stdout__)
    assert capfd.readouterr() == ("after\n", "after")
