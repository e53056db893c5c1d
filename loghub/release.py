"""What was deployed, found by itself, and where a source file is in its repository.

A release is looked for in this order, and the first that is there wins:

1. ``LOGHUB_RELEASE``.
2. What the platform says, see `PLATFORM_VARIABLES`.
3. A file ``REVISION`` in the root, as Capistrano leaves it [1]_.
4. For a root in site-packages, the commit that pip wrote down on installing (PEP 610 [2]_).
5. The commit that is checked out, read from ``.git`` [3]_ without running git.

Nothing here raises because of what is on disk. Only regular files are read, and of each a bounded part.

.. [1] https://capistranorb.com/documentation/getting-started/structure/
.. [2] https://packaging.python.org/en/latest/specifications/direct-url/
.. [3] https://git-scm.com/docs/gitrepository-layout
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

PLATFORM_VARIABLES = (
    "GITHUB_SHA",  # https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    "CI_COMMIT_SHA",  # https://docs.gitlab.com/ci/variables/predefined_variables/
    "CIRCLE_SHA1",  # https://circleci.com/docs/variables/
    "CODEBUILD_RESOLVED_SOURCE_VERSION",  # https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
    "BUILD_SOURCEVERSION",  # https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
    "HEROKU_BUILD_COMMIT",  # https://devcenter.heroku.com/articles/dyno-metadata
    "HEROKU_SLUG_COMMIT",  # the same; deprecated there
    "SOURCE_VERSION",  # https://devcenter.heroku.com/changelog-items/630
    "VERCEL_GIT_COMMIT_SHA",  # https://vercel.com/docs/environment-variables/system-environment-variables
    "RENDER_GIT_COMMIT",  # https://render.com/docs/environment-variables
    "RAILWAY_GIT_COMMIT_SHA",  # https://docs.railway.com/reference/variables
    # No commits, but names of what is deployed.
    "K_REVISION",  # https://cloud.google.com/run/docs/container-contract
    "CONTAINER_APP_REVISION",  # https://learn.microsoft.com/en-us/azure/container-apps/environment-variables
    "FLY_IMAGE_REF",  # https://fly.io/docs/machines/runtime-environment/
    "GAE_VERSION",  # https://cloud.google.com/appengine/docs/standard/python3/runtime
)

_SMALL = 4_096
_LARGE = 4 * 1024 * 1024  # of packed-refs: some 60,000 references
_LONGEST = 200
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_COMMIT = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.IGNORECASE)  # git's SHA-1, or its SHA-256


def find_release(root: str | None = None, environ: Mapping[str, str] | None = None) -> str | None:
    """Return what was deployed: a commit or a version; None where nothing says so.

    What is found on disk is remembered for the life of the process: its code stays as it was when it started.

    Args:
        root: Folder of the project; by default the working directory, then the folder of the main module.
        environ: The environment; by default the process's own.
    """
    variables = os.environ if environ is None else environ
    for name in ("LOGHUB_RELEASE", *PLATFORM_VARIABLES):
        release = _named(variables.get(name))
        if release:
            return release
    return next((release for folder in _folders(root) if (release := _on_disk(folder))), None)


def is_commit(release: str | None) -> bool:
    """Tell whether a release is a whole commit: 40 hex digits."""
    return release is not None and _COMMIT.fullmatch(release) is not None


def repository_path(file: str, project_root: str | None) -> str | None:
    """Return the path of a source file within its repository, with ``/`` between its parts.

    The repository is the nearest folder above the file that has a ``.git``; where there is none, as in a
    container, `project_root`. So a project in a subfolder of its repository gets the repository's path.

    Returns:
        None for what is in no repository: installed packages, frozen modules, ``<string>``.
    """
    if not os.path.isabs(file):
        file = os.path.join(project_root or "", file)
        if not os.path.isfile(file):
            return None
    path = _absolute(file)
    root = path and (_checkout(os.path.dirname(path)) or (project_root and _above(path, project_root)))
    if not path or not root:
        return None
    parts = os.path.relpath(path, root).split(os.sep)
    return None if _INSTALLED.intersection(parts) else "/".join(parts)


def permalink(web_url: str, repo: str, commit: str, path: str, line: int) -> str:
    """Return the address of a line of source that GitHub shows as code where it stands alone.

    Args:
        web_url: ``https://github.com``, or an Enterprise Server's.
        repo: ``owner/name``.
        commit: Its 40 hex digits; GitHub shows no code for less.
        path: From `repository_path`.
        line: From 1; below that the address is the file's.

    Raises:
        ValueError: `commit` is no whole commit.
    """
    if not is_commit(commit):
        raise ValueError(f"A permalink needs a commit's 40 hex digits, not {commit[:80]!r}; ask is_commit first.")
    anchor = f"#L{line}" if line > 0 else ""
    return f"{web_url.rstrip('/')}/{quote(repo)}/blob/{commit.lower()}/{quote(path, errors='replace')}{anchor}"


# Where to look


def _folders(root: str | None) -> list[str]:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    wanted = [root] if root is not None else [os.curdir, os.path.dirname(main) if main else None]
    return [folder for path in wanted if path is not None and (folder := _absolute(path))]


def _absolute(path: str) -> str | None:
    try:
        return os.path.abspath(path)
    except (OSError, ValueError):  # the working directory was deleted under us
        return None


@lru_cache(maxsize=64)
def _on_disk(folder: str) -> str | None:
    """Look into one folder."""
    try:
        return _revision(folder) or (_installed(folder) if _is_installed(folder) else _checked_out(folder))
    except (OSError, ValueError, RecursionError):  # a folder gone or unreadable, a name with a NUL, JSON
        return None


def _revision(folder: str) -> str | None:
    return _named(_read(os.path.join(folder, "REVISION")))


def _named(text: str | None) -> str | None:
    """Return the first line, if it can be a release's name."""
    line = (text or "").strip().partition("\n")[0].strip()
    return line if line.isprintable() and 0 < len(line) <= _LONGEST else None


def _read(path: str, limit: int = _SMALL) -> str | None:
    """Return the start of a regular file; None for anything else, as a pipe would keep us waiting."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


# An installed package (PEP 610)


def _is_installed(folder: str) -> bool:
    return os.path.basename(os.path.dirname(folder)) in _INSTALLED


def _installed(folder: str) -> str | None:
    """Return the commit from which the package in `folder` was installed, by ``NAME-VERSION.dist-info``."""
    parent, name = os.path.split(folder)
    for entry in os.listdir(parent):
        stem, _, suffix = entry.rpartition(".")
        if suffix == "dist-info" and _plain(stem.partition("-")[0]) == _plain(name):
            return _from_direct_url(_read(os.path.join(parent, entry, "direct_url.json")))
    return None


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def _from_direct_url(text: str | None) -> str | None:
    read = json.loads(text) if text else None
    vcs = read.get("vcs_info") if isinstance(read, dict) else None
    commit = vcs.get("commit_id") if isinstance(vcs, dict) else None
    return _named(commit) if isinstance(commit, str) else None


# A checkout


@lru_cache(maxsize=1024)
def _checkout(folder: str) -> str | None:
    """Return `folder` or the nearest folder above it that has a ``.git``."""
    while not _exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except (OSError, ValueError):
        return False
    return True


def _checked_out(folder: str) -> str | None:
    checkout = _checkout(folder)
    git = _git_folder(checkout) if checkout else None
    if not git:
        return None
    # A worktree has a HEAD of its own, and its branches where the others are.
    common = os.path.join(git, (_read(os.path.join(git, "commondir")) or ".").strip())
    return _resolve(git, common)


def _git_folder(checkout: str) -> str | None:
    """Return the folder that ``.git`` is, or that it names: in worktrees and submodules it is a file."""
    git = os.path.join(checkout, ".git")
    pointer = _read(git)
    if pointer is None:
        return git
    return os.path.join(checkout, pointer[8:].strip()) if pointer.startswith("gitdir: ") else None


def _resolve(git: str, common: str) -> str | None:
    """Follow HEAD to a commit, over at most five symbolic references, as git does."""
    text = _read(os.path.join(git, "HEAD"))
    for _ in range(5):
        text = (text or "").strip()
        if not text.startswith("ref: "):
            return text.lower() if _HASH.fullmatch(text) else None
        name = text[5:].strip()
        if not name.startswith("refs/") or ".." in name.split("/"):
            return None
        text = _read(os.path.join(git, name)) or _read(os.path.join(common, name)) or _packed(common, name)
    return None


def _packed(common: str, name: str) -> str | None:
    """Look a reference up among those that git packed into one file, ``HASH NAME`` a line."""
    text = _read(os.path.join(common, "packed-refs"), _LARGE) or ""
    end = text.find(f" {name}\n")
    return text[text.rfind("\n", 0, end) + 1 : end] if end > 0 else None


def _above(file: str, root: str) -> str | None:
    """Return `root`, or what it links to, if `file` is below it."""
    for folder in (_absolute(root), os.path.realpath(root)):
        if folder and file.startswith(folder.rstrip(os.sep) + os.sep):
            return folder
    return None
