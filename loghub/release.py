"""What was deployed, found by itself, and where a source file is in its repository.

A release is looked for in this order, and the first that is there wins:

1. ``LOGHUB_RELEASE``.
2. The commit that the platform names, see `PLATFORM_COMMITS`.
3. A file ``REVISION`` in the root, as Capistrano leaves it [1]_.
4. For a root in site-packages, the commit that pip wrote down on installing (PEP 610 [2]_).
5. The commit that is checked out, read from ``.git`` [3]_ without running git.
6. What the platform calls the deployment, see `PLATFORM_NAMES`: last, as nothing can be looked up by it.

A repository that keeps its references in a reftable [4]_ cannot be read without git: its HEAD names
``refs/heads/.invalid``, and its commit is not found. Set ``LOGHUB_RELEASE`` there.

Nothing here raises because of what is on disk. Only regular files are read, and of each a bounded part.

.. [1] https://capistranorb.com/documentation/getting-started/structure/
.. [2] https://packaging.python.org/en/latest/specifications/direct-url/
.. [3] https://git-scm.com/docs/gitrepository-layout
.. [4] https://git-scm.com/docs/reftable
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

PLATFORM_COMMITS = (
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
)

PLATFORM_NAMES = (
    "HEROKU_RELEASE_VERSION",  # https://devcenter.heroku.com/articles/dyno-metadata
    "K_REVISION",  # https://cloud.google.com/run/docs/container-contract
    "CONTAINER_APP_REVISION",  # https://learn.microsoft.com/en-us/azure/container-apps/environment-variables
    "FLY_IMAGE_REF",  # https://fly.io/docs/machines/runtime-environment/
    "GAE_VERSION",  # https://cloud.google.com/appengine/docs/standard/python3/runtime
)

_SMALL = 4_096
LARGE = 4 * 1024 * 1024  # of packed-refs: some 60,000 references
_LONGEST = 200
_INSTALLED = frozenset({"site-packages", "dist-packages"})
ARCHIVES = (".pyz", ".pyzw", ".zip", ".egg", ".whl")
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
    said = (_named(variables.get(name)) for name in ("LOGHUB_RELEASE", *PLATFORM_COMMITS))
    found = (_on_disk(folder) for folder in _folders(root))
    names = (_named(variables.get(name)) for name in PLATFORM_NAMES)
    return next((release for release in chain(said, found, names) if release), None)


def is_commit(release: str | None) -> bool:
    """Tell whether a release is a whole commit: 40 hex digits."""
    return release is not None and _COMMIT.fullmatch(release) is not None


def repository_path(file: str, project_root: str | None) -> str | None:
    """Return the path of a source file within its repository, with ``/`` between its parts.

    The repository is the nearest folder above the file that has a ``.git``; where there is none, as in a
    container, `project_root`. So a project in a subfolder of its repository gets the repository's path.

    Returns:
        None for what is in no repository: installed packages, members of archives, frozen modules, ``<string>``.
    """
    if not os.path.isabs(file):
        file = os.path.join(project_root or "", file)
        if not os.path.isfile(file):
            return None
    path = _absolute(file)
    root = path and (checkout(os.path.dirname(path)) or (project_root and _above(path, project_root)))
    if not path or not root:
        return None
    parts = os.path.relpath(path, root).split(os.sep)
    foreign = _INSTALLED.intersection(parts) or any(part.lower().endswith(ARCHIVES) for part in parts[:-1])
    return None if foreign else "/".join(parts)


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
        installed = installed_part(folder)
        return _revision(folder) or (_installed(*installed) if installed else checked_out(folder))
    except (OSError, ValueError):  # a name with a NUL
        return None


def _revision(folder: str) -> str | None:
    return _named(read(os.path.join(folder, "REVISION")))


def _named(text: str | None) -> str | None:
    """Return the first line, if it can be a release's name."""
    line = (text or "").strip().partition("\n")[0].strip()
    return line if line.isprintable() and 0 < len(line) <= _LONGEST else None


def read(path: str, limit: int = _SMALL) -> str | None:
    """Return the start of a regular file as text."""
    text = read_bytes(path, limit)
    return None if text is None else text.decode("utf-8", "replace")


def read_bytes(path: str, limit: int) -> bytes | None:
    """Return the start of a regular file; None for anything else, as a pipe would keep us waiting."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return file.read(limit)
    except (OSError, ValueError):
        return None


# An installed package (PEP 610)


def installed_part(path: str) -> tuple[str, str] | None:
    """Return the folder of installed packages that `path` is in, and where in it, with ``/`` between its parts."""
    parts = path.split(os.sep)
    inner = max((number for number, part in enumerate(parts[:-1]) if part in _INSTALLED), default=-1) + 1
    return (os.sep.join(parts[:inner]), "/".join(parts[inner:])) if inner else None


def installed_from(site: str, package: str) -> dict[str, Any]:
    """Return what pip wrote down on installing a package: ``url``, ``vcs_info``, ``subdirectory`` [2]_.

    Args:
        site: The folder that holds the package and its ``NAME-VERSION.dist-info``.
        package: The name by which it is imported.

    Returns:
        Nothing for a package from an index, or where it cannot be told which distribution it came with.
    """
    try:
        infos = [entry for entry in os.listdir(site) if entry.endswith(".dist-info")]
        # By its name first; else the distribution is called otherwise, and lists the package among its files.
        infos.sort(key=lambda entry: _plain(entry.partition("-")[0]) != _plain(package))
        for info in infos:
            text = read(os.path.join(site, info, "direct_url.json"))
            if text and (_plain(info.partition("-")[0]) == _plain(package) or _lists(site, info, package)):
                told = json.loads(text)
                return told if isinstance(told, dict) else {}
    except (OSError, ValueError, RecursionError):  # a folder gone or unreadable, JSON
        pass
    return {}


def _lists(site: str, info: str, package: str) -> bool:
    """Tell whether a distribution's RECORD has the package; one without ``__init__.py`` may be shared by many."""
    record = read(os.path.join(site, info, "RECORD"), LARGE) or ""
    return f"\n{package}/__init__.py," in f"\n{record}"


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def _installed(site: str, part: str) -> str | None:
    """Return the commit from which a package was installed."""
    vcs = installed_from(site, part.partition("/")[0]).get("vcs_info")
    commit = vcs.get("commit_id") if isinstance(vcs, dict) else None
    return _named(commit) if isinstance(commit, str) else None


# A checkout


@lru_cache(maxsize=1024)
def checkout(folder: str) -> str | None:
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


def checked_out(folder: str) -> str | None:
    """Return the commit that is checked out around `folder`, without running git."""
    git = git_folders(folder)
    return _resolve(*git) if git else None


def git_folders(folder: str) -> tuple[str, str] | None:
    """Return where git keeps what is of the checkout around `folder`, and what all of its worktrees share.

    ``.git`` is a folder, or a file that names one: so it is in worktrees and submodules.
    """
    top = checkout(folder)
    if top is None:
        return None
    git = os.path.join(top, ".git")
    pointer = read(git)
    if pointer is not None:
        if not pointer.startswith("gitdir: "):
            return None
        git = os.path.join(top, pointer[8:].strip())
    # A worktree has a HEAD of its own, and its branches where the others are.
    return git, os.path.join(git, (read(os.path.join(git, "commondir")) or ".").strip())


def _resolve(git: str, common: str) -> str | None:
    """Follow HEAD to a commit, over at most five symbolic references, as git does."""
    text = read(os.path.join(git, "HEAD"))
    for _ in range(5):
        text = (text or "").strip()
        if not text.startswith("ref: "):
            return text.lower() if _HASH.fullmatch(text) else None
        name = text[5:].strip()
        if not name.startswith("refs/") or ".." in name.split("/"):
            return None
        text = read(os.path.join(git, name)) or read(os.path.join(common, name)) or _packed(common, name)
    return None


def _packed(common: str, name: str) -> str | None:
    """Look a reference up among those that git packed into one file, ``HASH NAME`` a line."""
    text = read(os.path.join(common, "packed-refs"), LARGE) or ""
    end = text.find(f" {name}\n")
    return text[text.rfind("\n", 0, end) + 1 : end] if end > 0 else None


def _above(file: str, root: str) -> str | None:
    """Return `root`, or what it links to, if `file` is below it."""
    for folder in (_absolute(root), os.path.realpath(root)):
        if folder and file.startswith(folder.rstrip(os.sep) + os.sep):
            return folder
    return None
