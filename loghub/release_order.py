"""Which of two releases is older: by git where a clone knows both, else as versions.

Versions are ordered as PEP 440 [1]_ and Semantic Versioning [2]_ say; calendar versions are among the former. Where a
name is a version by both, both must agree: ``1.0-1`` comes after ``1.0`` for one and before it for the other.

.. [1] https://packaging.python.org/en/latest/specifications/version-specifiers/
.. [2] https://semver.org/spec/v2.0.0.html#spec-item-11
"""

from __future__ import annotations

import os
import re
from typing import Any, Literal

from loghub import clone as git

Order = Literal["older", "same", "newer", "diverged"]

_LONGEST = 200
_REFERENCE = re.compile(r"[\w@+][\w.@+/-]*", re.ASCII)
_ABBREVIATED = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
# What `git describe` makes: the commits since a tag, and the commit. By the rules of versions it is anything.
_DESCRIBED = re.compile(r".+-\d+-g([0-9a-f]{7,64})", re.IGNORECASE)
_DIRTY = re.compile(r"[-.+]dirty$")
# https://cloud.google.com/run/docs/managing/revisions
_CLOUD_RUN = re.compile(r"(?P<name>.+)-(?P<number>\d{5,})-[a-z0-9]{3}", re.ASCII)
_DAY = r"(?:19|20)\d\d{0}(?:0[1-9]|1[0-2]){0}(?:0[1-9]|[12]\d|3[01])"
_DATE = re.compile(_DAY.replace("{0}", "-") + r"(?=\D|$)")
_STAMP = re.compile(_DAY.replace("{0}", "") + r"(?:\d\d){0,3}")
_PEP440 = re.compile(
    r"""v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)
    (?:[-_.]?(?P<phase>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre>\d*))?
    (?:-(?P<implicit>\d+)|[-_.]?(?P<posted>post|rev|r)[-_.]?(?P<post>\d*))?
    (?:[-_.]?(?P<developed>dev)[-_.]?(?P<dev>\d*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_PHASES = {"a": 0, "alpha": 0, "b": 1, "beta": 1}  # all others are release candidates
_SEMVER = re.compile(
    r"v?(?P<release>\d+\.\d+\.\d+)(?:-(?P<pre>[0-9a-z-]+(?:\.[0-9a-z-]+)*))?(?:\+[0-9a-z.-]+)?",
    re.IGNORECASE | re.ASCII,
)


def order(one: str, other: str, root: str | None = None) -> Order | None:
    """Tell whether a release is older or newer than another one.

    Args:
        one: A commit, an abbreviated one of at least 7 digits, a tag with or without its ``v``, or a version:
            ``1.2.3``, ``shop@1.2.3``, ``shop-1.2.3+build``, ``2024.06.1``, ``v42``, ``shop-00042-abc``.
        other: The same.
        root: A folder in the clone; by default the working directory.

    Returns:
        What `one` is to `other`; ``diverged`` where git says that neither contains the other; None where nothing tells.
    """
    if one == other or _same_commit(one, other):
        return "same"
    clone = git.clone_at(_absolute(root))
    commits = clone and (_commit(clone, one), _commit(clone, other))
    if clone and commits and commits[0] and commits[1]:
        counts = git.apart(clone, commits[0], commits[1])
        if counts is not None:
            return ("diverged" if counts[1] else "newer") if counts[0] else ("older" if counts[1] else "same")
    return _order_of_versions(one, other)


# Commits


def _absolute(root: str | None) -> str:
    try:
        return os.path.abspath(root or os.curdir)
    except (OSError, ValueError):  # the working directory was deleted under us
        return os.sep


def _same_commit(one: str, other: str) -> bool:
    """Tell whether one is an abbreviation of the other, which may be in capitals."""
    short, long = sorted((one.lower(), other.lower()), key=len)
    return len(long) >= 40 and bool(_ABBREVIATED.fullmatch(short) and _ABBREVIATED.fullmatch(long)) and (
        long.startswith(short)
    )  # fmt: skip


def _commit(clone: git.Clone, name: str) -> str | None:
    """Return the commit that a release is called by; a tag's name goes before an abbreviation."""
    if len(name) > _LONGEST or not _REFERENCE.fullmatch(name) or ".." in name or "@{" in name:
        return None
    other = name[1:] if name.startswith("v") else f"v{name}"
    described = _DESCRIBED.fullmatch(name)
    digits = described[1] if described else name
    asked = [f"refs/tags/{tag}^{{commit}}" for tag in (name, other)]
    if _ABBREVIATED.fullmatch(digits):
        asked.append(f"{digits.lower()}^{{commit}}")
    found = git.objects(clone, tuple(asked), "commit")
    for question in asked:
        commit = found.get(question)
        # A branch can have a name that looks like a commit; git would take the branch.
        if commit and (question.startswith("refs/") or commit.startswith(digits.lower())):
            return commit
    return None


# Versions


def _order_of_versions(one: str, other: str) -> Order | None:
    name, keys = _read(one)
    other_name, other_keys = _read(other)
    if name != other_name:
        return None
    orders = {_compared(keys[rules], other_keys[rules]) for rules in keys.keys() & other_keys.keys()}
    return orders.pop() if len(orders) == 1 else None


def _compared(one: Any, other: Any) -> Order:
    return "same" if one == other else "older" if one < other else "newer"


def _read(release: str) -> tuple[str, dict[str, Any]]:
    """Return what a release is a version of, ``""`` if it does not say so, and its key by each set of rules."""
    if len(release) > _LONGEST or _DESCRIBED.fullmatch(release) or _DIRTY.search(release):
        return "", {}
    if match := _CLOUD_RUN.fullmatch(release):
        return match["name"], {"Cloud Run": int(match["number"])}
    for start in (0, *(match.end() for match in re.finditer("[@/_-]", release))):
        text = release[start:]
        keys = {rules: key for rules, read in (("PEP 440", _pep440), ("SemVer", _semver)) if (key := read(text))}
        if keys:
            return release[: max(start - 1, 0)], keys
    return "", {}


def _pep440(text: str) -> tuple[Any, ...] | None:
    text = _DATE.sub(lambda date: date[0].replace("-", "."), text, count=1) if _DATE.match(text) else text
    match = _PEP440.fullmatch(text)
    # Digits alone may as well be a commit's, unless they make a day.
    if not match or (_ABBREVIATED.fullmatch(text) and not _STAMP.fullmatch(text)):
        return None
    release = [int(part) for part in match["release"].split(".")]
    while release and not release[-1]:
        release.pop()
    posted = match["implicit"] or ((match["post"] or "0") if match["posted"] else None)
    post = -1 if posted is None else int(posted)
    dev = int(match["dev"] or "0") if match["developed"] else None
    if match["phase"]:
        phase = (_PHASES.get(match["phase"].lower(), 2), int(match["pre"] or "0"))
    else:  # a development version of a release comes before all its phases, a release after them
        phase = (-1, 0) if dev is not None and posted is None else (3, 0)
    local = re.split("[-_.]", match["local"].lower()) if match["local"] else []
    return (
        int(match["epoch"] or "0"), release, phase, post, (1, 0) if dev is None else (0, dev),
        [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in local],
    )  # fmt: skip


def _semver(text: str) -> tuple[Any, ...] | None:
    match = _SEMVER.fullmatch(text)
    parts = match["pre"].split(".") if match and match["pre"] else []
    # A commit after the version says nothing of order.
    if not match or any(re.search("(?:^|-)g?[0-9a-f]{7,}(?:-|$)", part, re.IGNORECASE) for part in parts):
        return None
    before = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
    return [int(part) for part in match["release"].split(".")], not before, before
