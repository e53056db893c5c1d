"""Real git repositories for tests, made without anybody's settings."""

from __future__ import annotations

import os
import subprocess

PLAIN = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "A Writer",
    "GIT_AUTHOR_EMAIL": "writer@localhost",
    "GIT_COMMITTER_NAME": "A Committer",
    "GIT_COMMITTER_EMAIL": "committer@localhost",
}


class Repository:
    """A repository in a folder; its first commit is made at epoch second 1000, the next at 2000, and so on."""

    def __init__(self, root, remote="https://github.com/o/r.git"):
        self.root = root
        self.at = 0
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")
        if remote:
            self.git("remote", "add", "origin", remote)

    def git(self, *arguments, cwd=None):
        """Run git; return what it printed, without the line break at its end."""
        times = {"GIT_AUTHOR_DATE": f"@{self.at} +0000", "GIT_COMMITTER_DATE": f"@{self.at} +0000"}
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **PLAIN, **times}
        done = subprocess.run(command, cwd=cwd or self.root, env=environ, check=True, capture_output=True, text=True)
        return done.stdout.removesuffix("\n")

    def write(self, files):
        """Write files, by their paths."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, newline="")

    def commit(self, files=None, message="change"):
        """Write files and commit all that changed; return the commit."""
        self.write(files or {})
        self.at += 1000
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")
