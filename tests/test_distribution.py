"""The wheel and the sdist hold all that runs, and the licences of what others wrote."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "loghub"
FILES = [
    str(path.relative_to(ROOT))
    for path in sorted(PACKAGE.rglob("*"))
    if path.is_file() and "__pycache__" not in path.parts
]
KINDS = (".py", ".html", ".css", ".js", ".svg", "LICENSE", "py.typed")


def built(builder, folder):
    """Build a distribution; return where it is."""
    (made,) = builder(str(ROOT)).build(directory=str(folder))
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the names of a built wheel's files, each with its bytes."""
    with zipfile.ZipFile(built(WheelBuilder, tmp_path_factory.mktemp("wheel"))) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """Return the names of a built sdist's files, without its folder."""
    with tarfile.open(built(SdistBuilder, tmp_path_factory.mktemp("sdist"))) as file:
        return {name.partition("/")[2] for name in file.getnames()}


def test_the_wheel_has_the_package(wheel, sdist):
    """Each module, template, style sheet, script, picture and licence of the package is in both, as it is here."""
    assert [kind for kind in KINDS if not any(name.endswith(kind) for name in FILES)] == []
    assert [name for name in FILES if wheel.get(name) != (ROOT / name).read_bytes()] == []
    assert [name for name in FILES if name not in sdist] == []


def test_the_wheel_has_nothing_else(wheel):
    """Beside the package there are its metadata, and the logging.yaml that `loghub check` explains."""
    beside = {name for name in wheel if name not in FILES and ".dist-info/" not in name}
    assert beside == {"loghub/logging.yaml"}


def test_licences(wheel):
    """The licences of the project and of each vendored part stand in the metadata, too."""
    vendored = [name for name in FILES if "/vendor/" in name and name.endswith("LICENSE")]
    assert len(vendored) == len({Path(name).parent for name in FILES if "/vendor/" in name}) >= 1
    held = [text for name, text in wheel.items() if ".dist-info/licenses/" in name]
    assert sorted(held) == sorted((ROOT / name).read_bytes() for name in ("LICENSE", *vendored))


def test_the_sdist_can_be_worked_with(sdist):
    """The sdist has the tests, the pages of the docs, and what the tests and the Makefile read."""
    wanted = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "logging.yaml", "pyproject.toml"]
    wanted += [".ci/run", ".ci/mkdocs.yml", ".ci/installed.py", ".ci/audit.py", ".ci/pictures/make.py"]
    shown = ("docs/*.md", "docs/pictures/*", "tests/*.py")
    wanted += [str(path.relative_to(ROOT)) for pattern in shown for path in sorted(ROOT.glob(pattern))]
    assert [name for name in wanted if name not in sdist] == []
