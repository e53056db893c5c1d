"""Run by test_cpython.py in a process of its own: the interpreter's tests of log files, with our handler.

``python cpython_suite.py (theirs|ours) CLASS...`` runs these classes of `test.test_logging`, and prints as JSON what
came of each test: ``{name: "ok" | "skipped: why" | what was raised}``. With ``ours`` the handlers of the standard
library that write files are ours.
"""

import json
import logging
import logging.handlers
import os
import sys
import tempfile
import types
import unittest

from loghub.handlers.rotatingfile import RotatingFileHandler


class File(RotatingFileHandler):
    """Ours, called as `logging.FileHandler` is."""

    def __init__(self, filename, mode="a", encoding=None, delay=False, errors=None):
        super().__init__(filename, mode, encoding=encoding, delay=delay, errors=errors)


class Watched(File):
    """Ours, called as `logging.handlers.WatchedFileHandler` is, with the names for which file is open."""

    dev = property(lambda self: self._device)
    ino = property(lambda self: self._inode)


class Timed(RotatingFileHandler):
    """Ours, called as `logging.handlers.TimedRotatingFileHandler` is."""

    def __init__(self, filename, when="h", interval=1, backupCount=0, encoding=None, delay=False, utc=False,  # noqa: PLR0917
                 atTime=None, errors=None):  # fmt: skip
        super().__init__(filename, "a", 0, backupCount, encoding, delay, errors,
                         when=when, interval=interval, utc=utc, atTime=atTime)  # fmt: skip


class Logging(types.ModuleType):
    """The module as `logging.handlers` sees it: its classes have to find the base that they were made with."""

    FileHandler = logging.FileHandler

    def __getattr__(self, name):
        return getattr(logging, name)


class Result(unittest.TestResult):
    """Keeps what came of each test."""

    def __init__(self):
        super().__init__()
        self.said = {}

    def addSuccess(self, test):
        self.said.setdefault(name_of(test), "ok")

    def addSkip(self, test, reason):
        self.said[name_of(test)] = f"skipped: {reason}"

    def addError(self, test, err):
        self.said[name_of(test)] = f"{err[0].__name__}: {err[1]}"

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addError(test, err)


def name_of(test):
    """Return ``Class.method``."""
    return ".".join(test.id().split(".")[-2:])


def main(whose, *classes):
    """Run the tests, and print what came of them."""
    if whose == "ours":
        logging.handlers.logging = Logging("logging")
        logging.FileHandler, logging.handlers.WatchedFileHandler = File, Watched
        logging.handlers.RotatingFileHandler = RotatingFileHandler
        logging.handlers.TimedRotatingFileHandler = Timed
    out, sys.stdout = sys.stdout, sys.stderr
    suite = unittest.defaultTestLoader.loadTestsFromNames([f"test.test_logging.{name}" for name in classes])
    result = Result()
    suite.run(result)
    json.dump(result.said, out)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(*sys.argv[1:])
