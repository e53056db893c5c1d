"""What the pages keep in the home: the hash of a password, and what signs sessions. Nobody else may read it."""

from __future__ import annotations

import contextlib
import os
import secrets

HASH = "web.password"
KEY = "web.key"


def read(home: str, name: str) -> str:
    """Return what is kept under a name; empty if nothing is, or it cannot be read."""
    try:
        with open(os.path.join(home, name), encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def keep(home: str, name: str, text: str) -> str:
    """Keep something under a name, unless another process was first; return what is kept now.

    Raises:
        OSError: It could not be written; nothing is left behind.
    """
    path = os.path.join(home, name)
    hidden = f"{path}.{secrets.token_hex(4)}.tmp"
    os.makedirs(home, mode=0o700, exist_ok=True)
    try:
        with os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text + "\n")
        try:
            os.link(hidden, path)
        except OSError:  # it is there, or the file system has no hard links
            if not read(home, name):
                os.replace(hidden, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hidden)
    return read(home, name)


def secret_key(home: str | None) -> str:
    """Return what signs the sessions of a home, the same for all its processes; a new one where none can be kept."""
    kept = read(home, KEY) if home else ""
    if home and not kept:
        with contextlib.suppress(OSError):
            kept = keep(home, KEY, secrets.token_hex())
    return kept or secrets.token_hex()
