"""A clone at hand, asked by running git.

Only by plumbing that looks at objects: no index is refreshed, so neither hooks nor a file system monitor nor filters
of the repository's own configuration run; nothing is fetched, though a partial clone would like to. A repository that
git distrusts (``safe.directory`` [1]_) is no clone at hand, nor is one where git is missing, fails or is slow.

What git said counts and never its exit status alone: where the application ignores SIGCHLD, or reaps all children
itself, every status reads as success.

.. [1] https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import time
import tokenize
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from loghub.release import LARGE, checkout, git_folders, read

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_SECONDS = 5.0
"""How long one question may take; a clone that took longer once is not asked the like again for a while."""

MAX_SOURCE_BYTES = 1024 * 1024
"""Larger files are not looked into."""

_TRUSTED_SECONDS = 600  # then a clone is asked anew: somebody may have fetched
_IGNORED_COMMITS = ".git-blame-ignore-revs"  # https://docs.github.com/en/repositories/working-with-files/using-files/viewing-and-understanding-files
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PASSED = re.compile(r"^[ \t]*([0-9a-f]{40,64})\b", re.MULTILINE)
_OBJECT = re.compile(rf"({_COMMIT.pattern}) (commit|blob|tree|tag) (\d+)")
_REMOTE = re.compile(r"^[^\t]*\t(.*) \((?:fetch|push)\)", re.MULTILINE)
_SECTION = re.compile(r"^[ \t]*\[remote \"[^\n]*\"\]((?:\n(?![ \t]*\[).*)*)", re.MULTILINE | re.IGNORECASE)
_URL = re.compile(r"^[ \t]*(?:push)?url[ \t]*=[ \t]*\"?([^\"\s]+)", re.MULTILINE | re.IGNORECASE)
_SETTINGS = (
    "--no-pager", "--literal-pathspecs", "--no-replace-objects",
    "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}",
)  # fmt: skip
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",  # none: before git 2.44 a partial clone fetches what it misses whatever one says
}


@dataclass(frozen=True)
class Suspect:
    """The commit that gave a line of code its present form.

    Attributes:
        commit: All of its hex digits.
        author: The author's name.
        at: When it was written, in epoch seconds.
        summary: The first line of its message.
    """

    commit: str
    author: str
    at: int
    summary: str


class Clone:
    """A clone that git answers for, and what is the same for all questions.

    Attributes:
        root: Its top folder.
        remotes: Repositories that it fetches from or pushes to, see `repositories`.
        cut: Commits whose parents were not fetched: a shallow clone's.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.remotes: frozenset[str] = frozenset()
        self.cut: frozenset[str] = frozenset()
        self._slow: set[str] = set()

    def begin(self) -> bool:
        """Ask what is needed every time; return whether it is a clone that answers."""
        shallow = self.ask("rev-parse", "--is-shallow-repository")
        remotes = self.ask("remote", "-v") if shallow in {b"true\n", b"false\n"} else None
        if remotes is None:
            return False
        self.remotes = repositories(_REMOTE.findall(remotes.decode("utf-8", "replace")))
        if shallow == b"true\n":
            folders = git_folders(self.root)
            self.cut = frozenset(((folders and read(os.path.join(folders[1], "shallow"), LARGE)) or "").split())
            return bool(self.cut)
        return True

    def ask(self, *arguments: str, stdin: str = "") -> bytes | None:
        """Run git in the clone; return what it printed, or None where it failed."""
        if arguments[0] in self._slow:
            return None
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name.startswith("GIT_CONFIG_")  # not the repository of a hook we run in
        }
        above = {os.path.dirname(self.root), os.path.dirname(os.path.realpath(self.root))}
        environ |= _ENVIRONMENT | {"GIT_CEILING_DIRECTORIES": os.pathsep.join(above)}
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and no argument comes from an event unchecked
                ["git", *_SETTINGS, *arguments],  # noqa: S607 - which git is the user's choice
                cwd=self.root,
                env=environ,
                input=stdin.encode("utf-8", "surrogateescape"),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self._slow.add(arguments[0])
            return None
        except (OSError, ValueError, RuntimeError):  # no git, no folder, no new process at the interpreter's end
            return None
        return done.stdout if done.returncode == 0 else None


def clone_at(folder: str) -> Clone | None:
    """Return the clone around a folder, if there is one that answers."""
    root = checkout(folder)
    return _begun(root, int(time.monotonic() // _TRUSTED_SECONDS)) if root else None


@lru_cache(maxsize=16)
def _begun(root: str, _period: int) -> Clone | None:
    clone = Clone(root)
    return clone if clone.begin() else None


# Questions. Clones are known by identity, so that what is remembered of one goes with it.


@lru_cache(maxsize=1024)
def objects(clone: Clone, names: tuple[str, ...], kind: str) -> dict[str, str]:
    """Return those of some names of objects that the clone has, with their hashes.

    Args:
        clone: The clone.
        names: As ``git rev-parse`` takes them; those that cannot be names are not there.
        kind: ``commit``, or ``blob``: a file of at most `MAX_SOURCE_BYTES`.
    """
    names = tuple(name for name in names if name.isprintable() and not name.startswith("-"))
    said = clone.ask("cat-file", "--batch-check", stdin="".join(f"{name}\n" for name in names)) if names else None
    lines = (said or b"").decode("utf-8", "replace").split("\n")
    found = {name: match for name, line in zip(names, lines, strict=False) if (match := _OBJECT.fullmatch(line))}
    limit = MAX_SOURCE_BYTES if kind == "blob" else float("inf")
    return {name: match[1] for name, match in found.items() if match[2] == kind and int(match[3]) <= limit}


@lru_cache(maxsize=1024)
def apart(clone: Clone, one: str, other: str) -> tuple[int, int] | None:
    """Return how many commits lead to one commit alone, and how many to the other alone.

    Returns:
        None where the clone cannot tell: it is shallow, and what it has does not suffice.
    """
    said = clone.ask("rev-list", "--left-right", "--count", f"{one}...{other}", "--")
    counts = [int(count) for count in (said or b"").split() if count.isdigit()]
    if len(counts) != 2 or (clone.cut and all(counts)):
        return None
    return counts[0], counts[1]


@lru_cache(maxsize=16)
def source(clone: Clone, blob: str) -> bytes | None:
    """Return the bytes of a file of which `objects` gave the hash."""
    return clone.ask("cat-file", "blob", blob)


@lru_cache(maxsize=256)
def blame(clone: Clone, commit: str, path: str, line: int) -> Suspect | None:
    """Return the commit that a line of a file comes from, whatever the file was called then.

    Commits listed in the clone's ``.git-blame-ignore-revs`` are passed over.

    Returns:
        None where a shallow clone blames the commit at which it was cut, or git an ignored one for want of a better.
    """
    ignored = read(os.path.join(clone.root, _IGNORED_COMMITS), LARGE)
    passed = frozenset(_PASSED.findall(ignored or ""))
    said = clone.ask(
        "blame", "--porcelain", "--no-textconv", *([f"--ignore-revs-file={_IGNORED_COMMITS}"] if passed else []),
        "-L", f"{line},{line}", commit, "--", path,
    )  # fmt: skip
    first, *rest = (said or b"").decode("utf-8", "replace").split("\n")
    blamed = _COMMIT.match(first)
    told = dict(text.split(" ", 1) for text in rest if " " in text and not text.startswith("\t"))
    at = told.get("author-time", "")
    if not blamed or blamed[0] in clone.cut | passed or not at.isdigit():
        return None
    return Suspect(blamed[0], told.get("author", ""), int(at), told.get("summary", ""))


# Without git


def configured(folder: str) -> frozenset[str]:
    """Return the remotes of the clone around a folder as its configuration file has them, without running git."""
    folders = git_folders(folder)
    text = folders and read(os.path.join(folders[1], "config"), LARGE)
    return repositories([url for section in _SECTION.findall(text or "") for url in _URL.findall(section)])


def repositories(urls: Sequence[str]) -> frozenset[str]:
    """Return ``owner/name`` in lower case for each URL: of https, of ssh, or ``git@host:owner/name.git``."""
    parts = (re.split("[/:]", url.strip().rstrip("/").removesuffix(".git"))[-2:] for url in urls)
    return frozenset("/".join(part).lower() for part in parts)


def lines_of(text: bytes) -> list[str]:
    """Return the lines of a source file, without white space around them; line 1 stands first."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(text).readline)
    except SyntaxError:  # an unknown one
        encoding = "utf-8"
    return [line.strip() for line in text.decode(encoding, "replace").split("\n")]
