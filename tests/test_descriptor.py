"""Descriptors that somebody else closes, and whose numbers somebody else gets."""

from __future__ import annotations

import os

from loghub import descriptor
from tests import processes


def test_is_still(tmp_path):
    """A descriptor is known by its file, not by its number."""
    fd = os.open(tmp_path / "ours", os.O_RDWR | os.O_CREAT)
    ours = descriptor.identity(fd)
    assert descriptor.is_still(fd, ours)
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    os.dup2(theirs, fd)
    assert not descriptor.is_still(fd, ours)
    descriptor.close(fd, ours)
    assert descriptor.is_still(fd, descriptor.identity(theirs))  # it is open
    os.close(fd)
    os.close(theirs)
    assert not descriptor.is_still(fd, ours)
    descriptor.close(fd, ours)


def test_is_at(tmp_path):
    """A descriptor is at the end of what was written to it, and no pipe or socket is anywhere."""
    fd = os.open(tmp_path / "ours", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(fd, b"line\n")
    os.pread(fd, 3, 1)
    assert descriptor.is_at(fd, 5)
    assert not descriptor.is_at(fd, 0)
    os.close(fd)
    assert not descriptor.is_at(fd, 5)
    reading, writing = os.pipe()
    assert not descriptor.is_at(reading, 0)
    os.close(reading)
    os.close(writing)


def test_nowhere():
    """What is open nowhere is nobody else's, so that its number can be known again."""
    one, other = descriptor.nowhere(), descriptor.nowhere()
    assert descriptor.identity(one) != descriptor.identity(other)
    os.write(one, b"is gone")
    os.close(one)
    os.close(other)


def test_abandoned():
    """What is abandoned does not close its number, not even when the interpreter ends."""
    script = """
    import os, sys
    from loghub import descriptor
    ours = open(sys.argv[1] + "/ours", "w")
    number = ours.fileno()
    os.close(number)
    theirs = os.open(sys.argv[1] + "/theirs", os.O_RDWR | os.O_CREAT)
    assert theirs == number
    descriptor.abandon(ours)
    del ours
    os.fstat(theirs)

    class Last:
        def __del__(self, write=os.write, fd=theirs): write(fd, b"at the end")

    sys.last = Last()
    """
    processes.run(script, os.getcwd())
    with open("theirs", "rb") as file:
        assert file.read() == b"at the end"
