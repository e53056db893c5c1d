"""Files of a stack: whose they are, and what of their paths is the same on every machine."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class File(NamedTuple):
    """A source file.

    Attributes:
        folders: Around it; of an installed one only those within its package.
        name: Without its suffix; of a package's ``__init__`` the package's.
        anchored: Whether the folders begin below site-packages or the like.
    """

    folders: tuple[str, ...]
    name: str
    anchored: bool


_LIBRARY = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|lib(?:64)?/python\d[\d.]*t?|python[\d.]+\.zip"
    r"|python\d+(?:-\d\d)?/lib|python/\d[\d.]+/x\d\d/lib|PythonSoftwareFoundation[^/]*/lib"
    r"|(?:anaconda|miniconda|miniforge|mambaforge)\d?/(?:envs/[^/]+/)?lib)(?=/)",
    re.IGNORECASE,
)
_LAUNCHER = re.compile(r"(?:^|[/.])(?:usr|local|v?env[^/]*|conda[^/]*)/(?:s?bin|scripts)/[^/.]+(?:\.exe/.*)?$")
# What is typed into a notebook is a file for each cell, and for each time that it runs.
_CELL = re.compile(
    r"<ipython-input-[^>]*>$|(?:.*/)?(?:ipykernel|xpython)_\d+/\d+\.py$|(?P<console><python-input)-\d+>$"
)
_TYPED_IN = (
    "<stdin>",
    "<string>",
    "<console>",
    "<input>",
    "<python-input",
    "<ipython",
    "<unknown>",
    "<doctest",
)


PROGRAM = ("__main__", "__mp_main__")
"""What the program that was started is called as a module; the second in a process that multiprocessing began anew."""


@lru_cache(4096)
def is_library_path(path: str) -> bool:
    """Return whether a file belongs to an installed package, the standard library or a launcher.

    Pseudo-files are library code (``<frozen importlib._bootstrap>``), unless a person typed them (``<stdin>``).
    """
    path = path.replace("\\", "/")
    if path.startswith("<"):
        return not path.startswith(_TYPED_IN)
    return bool(_LIBRARY.search(path) or _LAUNCHER.search(path.lower()))


@lru_cache(4096)
def folders(path: str) -> File:
    """Return a path as folders and name; of an installed file only the folders within its package."""
    path = path.replace("\\", "/")
    if cell := _CELL.match(path):
        return File((), cell["console"] or "<ipython-input>", anchored=False)
    anchors = list(_LIBRARY.finditer(path))
    *folders, name = path[anchors[-1].end() if anchors else 0 :].split("/")
    folders = [folder for folder in folders if folder not in ("", ".")]
    stem = name.removesuffix(".pyc").removesuffix(".py")
    if stem in ("__init__", "__main__") and folders:
        stem = folders.pop()
    return File(tuple(folders), stem, bool(anchors))


@lru_cache(4096)
def place_of(file: File, module: str) -> str:
    """Return a file of the application as ``package/name``, alike wherever it is installed.

    The package is what the module says; a program that was started has none. A text has no modules: there the folder
    is it, unless it looks like one into which applications are put.
    """
    if module in PROGRAM:
        return file.name
    *packages, name = module.split(".")
    package = (packages if name == file.name else file.folders)[-1:]
    if not package or not package[0].isidentifier() or package[0].lower() in _INSTALLED_IN or len(package[0]) == 1:
        return file.name
    return f"{package[0]}/{file.name}"


_INSTALLED_IN = frozenset(
    re.findall(
        r"\w+",
        """app apps application applications backend bin build checkout code current deploy dist function functions home
        htdocs html layer lib libs local opt out package packages prod production project projects python release
        releases repo repos root runner script scripts server site sites source sources src srv staging task temp tmp
        usr var www work workdir workspace""",
    )
)
