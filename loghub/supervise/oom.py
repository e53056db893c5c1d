"""Whether the kernel killed somebody for want of memory, as the control groups of a process tell it.

Version 2 counts in ``memory.events`` (``oom_kill``: processes of the group, and of those below it, that any kind of
OOM killer has killed), version 1 in ``memory.oom_control``. Sources: the kernel's ``admin-guide/cgroup-v2.rst`` and
``admin-guide/cgroup-v1/memory.rst``.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_UNLIMITED = 1 << 60  # version 1 says so by a number near 2**63
_OCTAL = re.compile(r"\\([0-7]{3})")


class Group(NamedTuple):
    """A control group with a memory controller.

    Attributes:
        folder: Where its files are.
        version: 1 or 2.
    """

    folder: str
    version: int

    def kills(self) -> int:
        """Return how many processes were killed so far; 0 where nothing is said."""
        return _words(self._path("memory.events" if self.version == 2 else "memory.oom_control")).get("oom_kill", 0)

    def facts(self) -> dict[str, int]:
        """Return what is known of its memory, in bytes: ``limit``, ``used``, ``peak``; and ``times_at_limit``."""
        if self.version == 2:
            said = {
                "limit": self._number("memory.max"),
                "used": self._number("memory.current"),
                "peak": self._number("memory.peak"),
                "times_at_limit": _words(self._path("memory.events")).get("max"),
            }
        else:
            said = {
                "limit": self._number("memory.limit_in_bytes"),
                "used": self._number("memory.usage_in_bytes"),
                "peak": self._number("memory.max_usage_in_bytes"),
                "times_at_limit": self._number("memory.failcnt"),
            }
        return {name: value for name, value in said.items() if value is not None and value < _UNLIMITED}

    def _number(self, name: str) -> int | None:
        text = _read(self._path(name)).strip()
        return int(text) if text.isdigit() else None

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


class Memory:
    """The groups of this process and of a child, and how many were killed in them since the beginning.

    Args:
        pids: Of whom, as in ``/proc``: ``self``, ``17``.
        root: Of the file system.
    """

    def __init__(self, pids: tuple[str, ...] = ("self",), root: str = "/") -> None:
        self._root = root
        self._began: dict[Group, int] = {}
        for pid in pids:
            self.add(pid)

    def add(self, pid: str) -> None:
        """Look at the group of `pid` as well, from now on; what it was in before is still looked at."""
        found = group_of(pid, self._root)
        if found is not None and found not in self._began:
            self._began[found] = found.kills()

    def kills(self) -> int:
        """Return how many processes were killed; one that several groups count is one."""
        return max((group.kills() - began for group, began in self._began.items()), default=0)

    def facts(self) -> dict[str, int]:
        """Return what is known of the memory of the group where most were killed, else of the first with a limit."""
        ordered = sorted(
            self._began.items(), key=lambda item: (item[0].kills() - item[1], "limit" in item[0].facts()), reverse=True
        )
        return ordered[0][0].facts() if ordered else {}


def group_of(pid: str, root: str = "/") -> Group | None:
    """Return the control group that counts the memory of a process; None if there is none that can be read."""
    mounts = _mounts(_read(os.path.join(root, "proc", pid, "mountinfo")))
    lines = _read(os.path.join(root, "proc", pid, "cgroup")).splitlines()
    for line in sorted(lines, key=lambda line: line.startswith("0:")):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        version = 2 if line.startswith("0::") else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        for kind, mounted, at in mounts:
            if kind == version and (folder := _folder(root, at, mounted, path, version)) is not None:
                return Group(folder, version)
    return None


def _mounts(text: str) -> list[tuple[int, str, str]]:
    """Return version, mounted root and place of each hierarchy that may have a memory controller."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, said = before.split(" "), after.split(" ")
        if len(fields) < 5 or len(said) < 3:
            continue
        mounted, at = (_OCTAL.sub(lambda match: chr(int(match[1], 8)), name) for name in fields[3:5])
        if said[0] == "cgroup2":
            found.append((2, mounted, at))
        elif said[0] == "cgroup" and "memory" in said[-1].split(","):
            found.append((1, mounted, at))
    return found


def _folder(root: str, at: str, mounted: str, path: str, version: int) -> str | None:
    """Return the folder of a group below a mount, the nearest one upwards that counts.

    In a container the mount shows only the container's own group, while the path may be the host's.
    """
    below = os.path.relpath(path, mounted) if path.startswith(mounted.rstrip("/") + "/") or path == mounted else "."
    if below.startswith(".."):
        below = "."
    top = os.path.join(root, at.lstrip("/"))
    while True:
        folder = os.path.normpath(os.path.join(top, below))
        if os.path.exists(os.path.join(folder, "memory.events" if version == 2 else "memory.oom_control")):
            return folder
        if below in (".", ""):
            return None
        below = os.path.dirname(below) or "."


def _words(path: str) -> dict[str, int]:
    """Return a file of lines ``name number``."""
    pairs = (line.split() for line in _read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""
