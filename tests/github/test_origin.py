"""Where the code of an event is: links that show the raising line, and no others."""

from __future__ import annotations

import importlib.util
import json
import linecache
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub import clone
from loghub.filters import EventFilter
from loghub.github import origin
from loghub.github.origin import Origin, origin_of
from tests.repositories import PLAIN, Repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CART = "def total(items):\n    return sum(items)\n\n\ndef charge(items):\n    raise ValueError(total(items))\n"
LINK = re.compile(r"https://github\.com/o/r/blob/([0-9a-f]{40})/([^#]+)#L(\d+)")


@pytest.fixture(autouse=True)
def _nobodys_git(monkeypatch):
    """Let git see no settings but the repository's, and remember nothing from the test before."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, PLAIN[name])
    for cache in (clone._begun, clone.objects, clone.apart, clone.source, clone.blame, origin.checkout):
        cache.cache_clear()


@pytest.fixture
def repository(tmp_path):
    """Return a repository without commits."""
    return Repository(tmp_path / "shop")


def event_of(file, module, release, **options):
    """Run `charge` of a file as it is on disk; return the event of its exception, as a handler gets it."""
    spec = importlib.util.spec_from_file_location(module, file)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "failed", (), None)
    try:
        loaded.charge([1])
    except ValueError:
        record.exc_info = sys.exc_info()
    linecache.checkcache()
    capture = EventFilter(release=release, not_in_app=[__name__], **options).capture
    return json.loads(json.dumps(capture.keep(capture.sight(record), record)))


def event_with(release, *frames):
    """Return an event made of frames: ``(file, module, line, code)``, outermost first."""
    keys = ("file", "module", "line", "code", "in_app")
    return {"release": release, "frames": [dict(zip(keys, (*frame, True), strict=True)) for frame in frames]}


def find(event, **options):
    """Return the origin of an event in ``o/r`` on github.com."""
    return origin_of(event, **{"repo": "o/r", "web_url": "https://github.com", **options})


def shown(repository, link):
    """Return the line that a link shows, from the repository."""
    commit, path, line = LINK.fullmatch(link).groups()
    text = repository.git("show", f"{commit}:{urllib.parse.unquote(path)}")
    return text.split("\n")[int(line) - 1].strip()


RAISING = "raise ValueError(total(items))"


@pytest.mark.parametrize(
    "path", ["cart.py", "src/shop/cart.py", "a b/src/ü#?/cart.py", "-x/*/[a]/cart.py", ":/:(top)/cart.py"]
)
def test_raising_line(path, repository):
    """The link shows the line that raised, whatever the layout; the suspect is the commit that wrote it."""
    commit = repository.commit({path: CART}, "Charge at once")

    found = find(event_of(repository.root / path, "shop.cart", commit))

    assert [shown(repository, link) for link in found.permalinks] == [RAISING]
    assert found.path == path
    assert found.suspect == clone.Suspect(commit, "A Writer", 1000, "Charge at once")


def test_project_in_a_subfolder(repository):
    """In a monorepo the path is the repository's, not the project's."""
    commit = repository.commit({"services/cart/shop/cart.py": CART, "services/cart/pyproject.toml": ""})
    project = repository.root / "services/cart"

    found = find(event_of(project / "shop/cart.py", "shop.cart", commit), project_root=str(project))

    assert found.path == "services/cart/shop/cart.py"
    assert shown(repository, *found.permalinks) == RAISING


@pytest.mark.parametrize("how", ["worktree", "submodule", "link to a folder", "link within"])
def test_other_ways_to_the_file(how, repository, tmp_path):
    """Worktrees, submodules and symbolic links lead to the repository's own path."""
    commit = repository.commit({"src/shop/cart.py": CART})
    if how == "worktree":
        repository.git("worktree", "add", "-q", str(tmp_path / "tree"))
        file = tmp_path / "tree/src/shop/cart.py"
    elif how == "submodule":
        outer = Repository(tmp_path / "outer", "https://github.com/o/outer.git")
        outer.git("submodule", "add", "-q", str(repository.root), "lib/shop")
        outer.git("remote", "set-url", "origin", "git@github.com:o/r.git", cwd=outer.root / "lib/shop")
        file = outer.root / "lib/shop/src/shop/cart.py"
    elif how == "link to a folder":
        (tmp_path / "current").symlink_to(repository.root)
        file = tmp_path / "current/src/shop/cart.py"
    else:
        (repository.root / "shop").symlink_to("src/shop")
        commit = repository.commit()
        file = repository.root / "shop/cart.py"

    found = find(event_of(file, "shop.cart", commit))

    assert found.path == "src/shop/cart.py"
    assert [shown(repository, link) for link in found.permalinks] == [RAISING]


# Installed packages

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

# A build backend (PEP 517, PEP 660) in a few lines, so that pip needs no other.
BACKEND = """
import os, zipfile

def build_wheel(folder, settings=None, metadata=None, editable=False):
    files = {"acme_shop-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: acme-shop\\nVersion: 1.0\\n",
             "acme_shop-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    if editable:
        files["acme_shop.pth"] = os.path.abspath("LAYOUT") + "\\n"
    else:
        files |= {f"shop/{name}": open(f"LAYOUT/shop/{name}").read() for name in ("__init__.py", "cart.py")}
    files["acme_shop-1.0.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in files)
    name = "acme_shop-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name

def build_editable(folder, settings=None, metadata=None):
    return build_wheel(folder, editable=True)
"""


def project(folder, layout):
    """Return the files of a project whose package `shop` is in `layout`."""
    inside = os.path.normpath(f"{folder}{layout}/shop")
    return {
        f"{folder}pyproject.toml": PYPROJECT,
        f"{folder}backend.py": BACKEND.replace("LAYOUT", layout),
        f"{inside}/__init__.py": "",
        f"{inside}/cart.py": CART,
    }


def pip_install(target, *what):
    """Let pip install a project into a folder."""
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--no-compile", "--target", str(target), *map(str, what)],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "layout"), [("", "."), ("", "src"), ("services/cart/", "lib")])
def test_installed_wheel(folder, layout, repository, tmp_path):
    """A package that was installed from a wheel is found in the clone, in the subdirectory it came from."""
    commit = repository.commit(project(folder, layout))
    site = tmp_path / "site-packages"
    pip_install(site, repository.root / folder)
    (info,) = site.glob("*.dist-info")
    assert (info / "direct_url.json").exists()
    (info / "direct_url.json").write_text(json.dumps({"url": "x", "subdirectory": folder}))  # as if it came from git
    file = site / "shop/cart.py"
    event = event_of(file, "shop.cart", commit, in_app=["shop"])

    for root in (repository.root, repository.root / folder):
        found = find(event, project_root=str(root))
        assert found.path == os.path.normpath(f"{folder}{layout}/shop/cart.py")
        assert [shown(repository, link) for link in found.permalinks] == [RAISING]
    assert find(event_of(file, "shop.cart", commit), project_root=str(repository.root)) == Origin()


@pytest.mark.slow
def test_editable_install(repository, tmp_path):
    """An editable install runs the files of the clone."""
    commit = repository.commit(project("", "src"))
    site = tmp_path / "site-packages"
    pip_install(site, "--editable", repository.root)
    code = "import site, sys; site.addsitedir(sys.argv[1]); import shop.cart; print(shop.cart.__file__)"
    done = subprocess.run([sys.executable, "-c", code, str(site)], check=True, capture_output=True, text=True)

    found = find(event_of(done.stdout.strip(), "shop.cart", commit))

    assert found.path == "src/shop/cart.py"
    assert shown(repository, *found.permalinks) == RAISING


def test_installed_from_elsewhere(repository, tmp_path):
    """A package that is not the repository's is not found in it, though a file has the same name."""
    commit = repository.commit({"src/shop/cart.py": "# another cart\n"})
    file = tmp_path / "site-packages/shop/cart.py"
    file.parent.mkdir(parents=True)
    file.write_text(CART)

    event = event_of(file, "shop.cart", commit, in_app=["shop"])

    assert find(event, project_root=str(repository.root)) == Origin()


def test_two_files_of_one_name(repository, tmp_path):
    """Where two files could be meant, the one with equal bytes is; and none if neither has them."""
    commit = repository.commit({"shop/cart.py": CART + "# old\n", "src/shop/cart.py": CART})
    file = tmp_path / "site-packages/shop/cart.py"
    file.parent.mkdir(parents=True)
    file.write_text(CART)
    event = event_of(file, "shop.cart", commit, in_app=["shop"])

    assert find(event, project_root=str(repository.root)).path == "src/shop/cart.py"
    file.write_text(CART + "# patched\n")
    assert find(event, project_root=str(repository.root)) == Origin()


def test_installed_in_a_container(tmp_path, monkeypatch):
    """Without a clone an installed file is the project's if its bytes are."""
    for folder in ("app/src/shop", "site-packages/shop"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "cart.py").write_text(CART)
    monkeypatch.chdir(tmp_path / "app")
    event = event_of(tmp_path / "site-packages/shop/cart.py", "shop.cart", COMMIT, in_app=["shop"])

    assert find(event).permalinks == [f"https://github.com/o/r/blob/{COMMIT}/src/shop/cart.py#L6"]
    (tmp_path / "app/src/shop/cart.py").write_text(CART + "\n")
    assert find(event) == Origin()


def test_installed_from_a_subfolder(repository, tmp_path):
    """In a monorepo an installed package is looked for below the project's root first."""
    commit = repository.commit({"services/cart/src/shop/cart.py": CART})
    file = tmp_path / "site-packages/shop/cart.py"
    file.parent.mkdir(parents=True)
    file.write_text(CART)
    event = event_of(file, "shop.cart", commit, in_app=["shop"])

    assert find(event, project_root=str(repository.root / "services/cart")).path == "services/cart/src/shop/cart.py"
    assert find(event, project_root=str(repository.root)) == Origin()


@pytest.mark.parametrize("subdirectory", ["../elsewhere", "{root}/elsewhere", "a/../../elsewhere", 7, "\0"])
def test_installed_from_outside(subdirectory, tmp_path):
    """A subdirectory that leads out of the root leads nowhere."""
    for folder in ("elsewhere/shop", "site-packages/shop", "site-packages/shop-1.0.dist-info", "app"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("elsewhere/shop", "site-packages/shop"):
        (tmp_path / folder / "cart.py").write_text(CART)
    told = subdirectory.format(root=tmp_path) if isinstance(subdirectory, str) else subdirectory
    (tmp_path / "site-packages/shop-1.0.dist-info/direct_url.json").write_text(json.dumps({"subdirectory": told}))
    event = event_of(tmp_path / "site-packages/shop/cart.py", "shop.cart", COMMIT, in_app=["shop"])

    assert find(event, project_root=str(tmp_path / "app")) == Origin()


# Without a clone


@pytest.mark.parametrize("sign", ["project_root", "REVISION", "pyproject.toml", "setup.cfg", "working directory"])
def test_container(sign, tmp_path, monkeypatch):
    """In a container without .git the path starts at the project's root, by whichever sign of it there is."""
    file = tmp_path / "app/src/shop/cart.py"
    file.parent.mkdir(parents=True)
    file.write_text(CART)
    options = {}
    if sign == "project_root":
        options["project_root"] = str(tmp_path / "app")
    elif sign == "working directory":
        monkeypatch.chdir(tmp_path / "app")
    else:
        (tmp_path / "app" / sign).write_text(COMMIT)

    found = find(event_of(file, "shop.cart", COMMIT), **options)

    assert found == Origin([f"https://github.com/o/r/blob/{COMMIT}/src/shop/cart.py#L6"], "src/shop/cart.py", None)


def test_container_with_two_signs(tmp_path):
    """A REVISION stands at the top of what was deployed; below it a project may have its own folder."""
    file = tmp_path / "app/services/cart/cart.py"
    file.parent.mkdir(parents=True)
    file.write_text(CART)
    (file.parent / "pyproject.toml").write_text("")
    event = event_of(file, "cart", COMMIT)

    assert find(event).path == "cart.py"
    (tmp_path / "app/REVISION").write_text(COMMIT)
    assert find(event).path == "services/cart/cart.py"


def test_container_without_a_sign(tmp_path, monkeypatch):
    """A service that starts in the root folder has no project there."""
    (tmp_path / "cart.py").write_text(CART)
    monkeypatch.chdir("/")

    assert find(event_of(tmp_path / "cart.py", "cart", COMMIT)) == Origin()


def test_container_with_other_code(tmp_path):
    """Where the file has another line than the event, the commit's is unknown."""
    file = tmp_path / "cart.py"
    file.write_text(CART)
    event = event_of(file, "cart", COMMIT)
    file.write_text("# new\n" + CART)

    assert find(event, project_root=str(tmp_path)) == Origin([], "cart.py", None)


def put_before_git(folder, command, monkeypatch):
    """Let a command of the shell run before each git."""
    folder.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\n{command}\nexec {shutil.which("git")} "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_trusted_by_the_environment(repository, tmp_path, monkeypatch):
    """What the process's environment says of safe folders counts, as it does in containers."""
    put_before_git(tmp_path / "bin", "export GIT_TEST_ASSUME_DIFFERENT_OWNER=1", monkeypatch)
    assert clone.clone_at(str(repository.root)) is None
    clone._begun.cache_clear()
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    assert clone.clone_at(str(repository.root)) is not None


@pytest.mark.parametrize("git", ["missing", "distrusts", "fails"])
def test_git_cannot_say(git, repository, monkeypatch, tmp_path):
    """Where git does not answer, what .git says without it has to fit: the commit, and the remotes."""
    commit = repository.commit({"src/shop/cart.py": CART})
    event = event_of(repository.root / "src/shop/cart.py", "shop.cart", commit)
    if git == "missing":
        monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    elif git == "distrusts":
        put_before_git(tmp_path / "bin", "export GIT_TEST_ASSUME_DIFFERENT_OWNER=1", monkeypatch)
    else:
        (repository.root / ".git/objects").rename(tmp_path / "objects")

    assert clone.clone_at(str(repository.root)) is None
    assert find(event).permalinks == [f"https://github.com/o/r/blob/{commit}/src/shop/cart.py#L6"]
    assert find(event).suspect is None
    assert find(event, repo="o/other") == Origin()
    assert find(event | {"release": COMMIT}).permalinks == []


# What is not the commit's


def test_dirty_tree(repository):
    """In a dirty tree a line that moved, was changed or is new gets no link; one that stands still gets its own."""
    commit = repository.commit({"cart.py": CART})
    before = event_of(repository.root / "cart.py", "cart", commit)
    repository.write({"cart.py": "import os\n" + CART})
    moved = event_of(repository.root / "cart.py", "cart", commit)
    repository.write({"cart.py": CART.replace("ValueError(", "ValueError(1 + ")})
    changed = event_of(repository.root / "cart.py", "cart", commit)
    repository.write({"cart.py": CART + "# more\n"})
    still = event_of(repository.root / "cart.py", "cart", commit)

    assert [shown(repository, link) for link in find(before).permalinks] == [RAISING]
    assert [shown(repository, link) for link in find(still).permalinks] == [RAISING]
    for event in (moved, changed):
        assert find(event) == Origin([], "cart.py", None)


def test_untracked_file(repository):
    """A file that the commit does not have is not in the repository."""
    commit = repository.commit({"other.py": ""})
    repository.write({"cart.py": CART})

    assert find(event_of(repository.root / "cart.py", "cart", commit)) == Origin()


@pytest.mark.parametrize("release", [COMMIT, "1.4.2", "ab" * 32, None, 7])
def test_no_commit_of_the_clone(release, repository):
    """For a release that is no commit, or one the clone does not have, there is a path at most."""
    repository.commit({"src/cart.py": CART})
    event = event_of(repository.root / "src/cart.py", "cart", "x") | {"release": release}

    assert find(event) == Origin([], "src/cart.py", None)


def test_sha256_repository(tmp_path):
    """GitHub has no repositories with longer hashes, so nothing is linked."""
    root = tmp_path / "shop"
    root.mkdir()
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(root)], check=True)
    repository = Repository(root)
    commit = repository.commit({"cart.py": CART})

    assert len(commit) == 64
    assert find(event_of(root / "cart.py", "cart", commit)) == Origin([], "cart.py", None)


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://github.com/o/r", True),
        ("https://github.com/O/R.git/", True),
        ("https://user:token@host.example/o/r.git", True),
        ("git@github.com:o/r.git", True),
        ("github-work:o/r", True),
        ("ssh://git@github.com:22/o/r.git", True),
        ("git://host.example/o/r", True),
        ("https://github.com/other/r.git", False),
        ("https://github.com/o/r.github.io", False),
        ("/srv/git/r.git", False),
    ],
)
@pytest.mark.parametrize("git", [True, False])
def test_remotes(url, ours, git, repository, monkeypatch):
    """A clone whose remotes are all others has another repository's code, with git and without."""
    commit = repository.commit({"cart.py": CART})
    repository.git("remote", "set-url", "origin", url)
    event = event_of(repository.root / "cart.py", "cart", commit)
    if not git:
        monkeypatch.setenv("PATH", "")

    assert bool(find(event).permalinks) is ours
    assert (find(event).path == "cart.py") is ours


def test_only_remotes_are_remotes(repository, monkeypatch):
    """Without git, too, a submodule's address is no remote."""
    commit = repository.commit({"cart.py": CART})
    event = event_of(repository.root / "cart.py", "cart", commit)
    repository.git("config", "submodule.lib.url", "https://github.com/o/lib.git")
    repository.git("config", "remote.mirror.pushurl", "https://github.com/o/mirror.git")
    monkeypatch.setenv("PATH", "")

    assert find(event).permalinks
    assert find(event, repo="o/mirror").permalinks
    assert find(event, repo="o/lib") == Origin()


@pytest.mark.parametrize("text", ["\n", " ", "[", '[remote "x"]\n', "url = ///\n", "\t\n[", '[remote "'])
def test_made_to_be_slow(text, repository, monkeypatch):
    """Megabytes of anything in the configuration are read in a moment."""
    (repository.root / ".git/config").write_text(text * (4 * 1024 * 1024 // len(text)))
    monkeypatch.setenv("PATH", "")
    start = time.perf_counter()

    clone.configured(str(repository.root))
    assert time.perf_counter() - start < 5.0


def test_any_remote(repository):
    """One fitting remote is enough, and a clone without remotes is taken for the repository's."""
    commit = repository.commit({"cart.py": CART})
    event = event_of(repository.root / "cart.py", "cart", commit)
    repository.git("remote", "add", "fork", "https://github.com/me/r")
    assert find(event, repo="Me/R").permalinks
    clone._begun.cache_clear()
    repository.git("remote", "remove", "fork")
    repository.git("remote", "remove", "origin")
    assert find(event, repo="any/thing").permalinks


# Frames


def test_outermost_first(repository):
    """Of many frames the innermost five are linked, outermost first, each line once; library frames are not."""
    text = "".join(f"step({number})\n" for number in range(1, 10))
    commit = repository.commit({"a.py": text})
    file = str(repository.root / "a.py")
    frames = [(file, "a", number, f"step({number})") for number in (1, 2, 3, 4, 5, 6, 6, 6, 7)]
    event = event_with(commit, *frames)
    event["frames"].append(event["frames"][0] | {"line": 9, "code": "step(9)", "in_app": False})

    links = find(event).permalinks

    assert [shown(repository, link) for link in links] == [f"step({number})" for number in (3, 4, 5, 6, 7)]


def test_of_another_host(repository):
    """A file of a host with other paths is found by its module, if the commit has its line there."""
    commit = repository.commit({"src/shop/cart.py": CART, "src/shop/__init__.py": "x = 1\n"})
    frames = [("/opt/x/shop/__init__.py", "shop", 1, "x = 1"), ("/opt/x/shop/cart.py", "shop.cart", 6, RAISING)]
    root = str(repository.root)

    found = find(event_with(commit, *frames), project_root=root)

    assert [shown(repository, link) for link in found.permalinks] == ["x = 1", RAISING]
    assert found.path == "src/shop/cart.py"
    assert found.suspect.commit == commit
    for odd in (("/opt/x/shop/cart.py", "shop.cart", 5, RAISING), ("/opt/x/shop/cart.py", "cart.shop", 6, RAISING),
                ("/opt/x/shop/cart.py", "shop.cart", 6, ""), ("/opt/x/shop/cart.py", "", 6, RAISING)):  # fmt: skip
        assert find(event_with(commit, odd), project_root=root) == Origin()


@pytest.mark.parametrize(
    "file",
    ["C:\\app\\shop\\cart.py", "/app/shop.pyz/shop/cart.py", "/app/x.egg/shop/cart.py", "<string>",
     "<frozen shop.cart>", "", "shop/cart.py\n", "\udcff/shop/cart.py", "/x\0/shop/cart.py",
     "https://x/site-packages/shop/cart.py", "https://x/../../shop/cart.py"],
)  # fmt: skip
def test_left_out(file, repository):
    """Paths of other systems, members of archives and what is no file have no origin."""
    commit = repository.commit({"shop/cart.py": CART})

    event = event_with(commit, (file, "shop.cart", 6, RAISING))

    assert find(event, project_root=str(repository.root)) == Origin()


def test_zipapp(repository):
    """The code within a zipapp that lies in the clone is no file of it."""
    commit = repository.commit({"shop/cart.py": CART})
    archive = repository.root / "shop.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("shop/cart.py", CART)

    assert find(event_with(commit, (f"{archive}/shop/cart.py", "shop.cart", 6, RAISING))) == Origin()


def test_line_without_code(repository):
    """Where the event does not have the source line, the file's line is compared."""
    commit = repository.commit({"cart.py": CART})
    file = str(repository.root / "cart.py")

    assert find(event_with(commit, (file, "cart", 6, ""))).permalinks
    assert not find(event_with(commit, (file, "cart", 3, ""))).permalinks
    repository.write({"cart.py": "#\n" + CART})
    assert not find(event_with(commit, (file, "cart", 6, ""))).permalinks


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_line_with_umlauts(encoding, repository):
    """A source file may be in any encoding and have any line ends."""
    text = f"# -*- coding: {encoding} -*-\r\ndef charge(items):\r\n    raise ValueError('größer')\r\n"
    (repository.root / "cart.py").write_bytes(text.encode(encoding))
    commit = repository.commit()

    found = find(event_of(repository.root / "cart.py", "cart", commit))

    assert found.permalinks == [f"https://github.com/o/r/blob/{commit}/cart.py#L3"]


def test_huge_file(repository):
    """A file of more than a mebibyte is not looked into."""
    commit = repository.commit({"cart.py": CART + "#" * clone.MAX_SOURCE_BYTES})

    assert find(event_of(repository.root / "cart.py", "cart", commit)).permalinks == []


# The suspect


def test_suspect_after_a_rename(repository):
    """The suspect wrote the line, not renamed the file, nor changed another line."""
    wrote = repository.commit({"till.py": CART}, "Charge\n\nMore of it.")
    repository.git("mv", "till.py", "cart.py")
    repository.commit(message="Rename")
    commit = repository.commit({"cart.py": CART.replace("return sum", "return 1 + sum")})

    assert find(event_of(repository.root / "cart.py", "cart", commit)).suspect == clone.Suspect(
        wrote, "A Writer", 1000, "Charge"
    )


def test_suspect_of_the_release(repository):
    """A commit after the release is not suspected."""
    commit = repository.commit({"cart.py": CART})
    event = event_of(repository.root / "cart.py", "cart", commit)
    repository.commit({"cart.py": CART.replace("ValueError(", "ValueError(0 + ")})

    assert find(event).suspect.commit == commit


def test_no_suspect_where_the_clone_is_cut(repository, tmp_path):
    """A shallow clone blames the commit at which it was cut; later ones are blamed rightly."""
    repository.commit({"cart.py": CART, "other.py": CART})
    repository.commit({"new.py": ""})
    commit = repository.commit({"other.py": CART.replace("ValueError(", "ValueError(2 * ")})
    shallow = Repository(tmp_path / "shallow")
    repository.git("clone", "-q", "--depth=2", f"file://{repository.root}", str(tmp_path / "cut"))
    shallow.root = tmp_path / "cut"
    shallow.git("remote", "set-url", "origin", "https://github.com/o/r")

    blamed = {}
    for name in ("cart", "other"):
        found = find(event_of(shallow.root / f"{name}.py", name, commit))
        assert len(found.permalinks) == 1
        blamed[name] = found.suspect

    assert blamed["cart"] is None
    assert blamed["other"].commit == commit


def test_ignored_commits(repository):
    """Commits in .git-blame-ignore-revs are passed over; if only such a one can be blamed, nobody is."""
    wrote = repository.commit({"cart.py": CART})
    formatted = repository.commit({"cart.py": CART.replace("total(items))", "total( items ))")})
    repository.commit({".git-blame-ignore-revs": f"# formatting\n\n{formatted}\n"})
    commit = repository.git("rev-parse", "HEAD")
    event = event_of(repository.root / "cart.py", "cart", commit)

    assert find(event).suspect.commit == wrote
    clone.blame.cache_clear()
    repository.write({".git-blame-ignore-revs": f"{formatted}\n{wrote}\n"})
    assert find(event).suspect is None
    clone.blame.cache_clear()
    repository.write({".git-blame-ignore-revs": f"{formatted}\nnonsense\n"})
    assert find(event).suspect is None


# Safety


def test_hostile_repository(repository, tmp_path):
    """Nothing that a repository's own settings name is run."""
    ran = tmp_path / "ran"
    command = tmp_path / "command"
    command.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    command.chmod(0o755)
    for hook in ("post-index-change", "reference-transaction", "fsmonitor-watchman", "post-checkout"):
        shutil.copy(command, repository.root / ".git/hooks" / hook)
    commit = repository.commit({"cart.py": CART, ".gitattributes": "*.py diff=x filter=x\n"})
    names = ("core.fsmonitor", "core.pager", "core.sshCommand", "core.gitProxy", "diff.x.textconv", "diff.x.command",
             "filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.external", "credential.helper",
             "core.askPass", "core.editor", "alias.blame", "alias.cat-file", "gpg.program",
             "uploadpack.packObjectsHook", "remote.origin.uploadpack", "pager.blame",
             "pager.rev-list", "core.alternateRefsCommand")  # fmt: skip
    for name in names:
        repository.git("config", name, f"!{command}" if name.startswith("alias") else str(command))
    repository.git("config", "log.showSignature", "true")
    ran.unlink(missing_ok=True)

    found = find(event_of(repository.root / "cart.py", "cart", commit))

    assert found.permalinks
    assert found.suspect
    assert not ran.exists()


def test_partial_clone_fetches_nothing(repository, tmp_path):
    """A clone that left files with its server does not go there for them."""
    repository.git("config", "uploadpack.allowFilter", "true")
    old = repository.commit({"cart.py": CART})
    repository.commit({"cart.py": "def charge(items):\n    raise ValueError\n"})
    part = tmp_path / "part"
    repository.git("clone", "-q", "--filter=blob:none", f"file://{repository.root}", str(part))
    repository.git("config", "remote.origin.pushurl", "https://github.com/o/r", cwd=part)

    event = event_with(old, (str(part / "cart.py"), "cart", 6, RAISING))

    assert find(event) == Origin()
    assert clone.clone_at(str(part)).ask("cat-file", "blob", f"{old}:cart.py") is None


def test_slow_git(repository, tmp_path, monkeypatch):
    """A git that takes too long is stopped, and not asked again for a while."""
    commit = repository.commit({"cart.py": CART})
    event = event_of(repository.root / "cart.py", "cart", commit)
    asked = tmp_path / "asked"
    put_before_git(tmp_path / "bin", f"echo once >> {asked}; exec sleep 60", monkeypatch)
    monkeypatch.setattr(clone, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(clone, "_TRUSTED_SECONDS", 1e9)

    for _ in range(3):
        assert find(event).suspect is None
    assert asked.read_text() == "once\n"


@pytest.mark.slow
def test_slow_blame(repository, tmp_path, monkeypatch):
    """Where only the blame takes too long there are links all the same, and no suspect."""
    commit = repository.commit({"a.py": CART, "b.py": CART})
    events = [event_of(repository.root / name, "cart", commit) for name in ("a.py", "b.py")]
    asked = tmp_path / "asked"
    slow = f'case "$*" in *blame*) echo once >> {asked}; exec sleep 60;; esac'
    put_before_git(tmp_path / "bin", slow, monkeypatch)
    monkeypatch.setattr(clone, "TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(clone, "_TRUSTED_SECONDS", 1e9)

    for event in events:
        assert len(find(event).permalinks) == 1
        assert find(event).suspect is None
    assert asked.read_text() == "once\n"


def test_children_reaped_by_others(repository):
    """Where the application ignores SIGCHLD no exit status can be had, and nothing false comes of it."""
    commit = repository.commit({"cart.py": CART})
    event = event_of(repository.root / "cart.py", "cart", commit)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert find(event).suspect.commit == commit
        assert find(event | {"release": COMMIT}) == Origin([], "cart.py", None)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_within_a_hook(repository, monkeypatch):
    """The variables by which git tells a hook its repository do not lead to another one."""
    commit = repository.commit({"cart.py": CART})
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")

    assert find(event_of(repository.root / "cart.py", "cart", commit)).suspect


def test_working_directory_is_gone(repository, tmp_path, monkeypatch):
    """A process whose working directory was deleted still finds what has a whole path."""
    commit = repository.commit({"cart.py": CART})
    event = event_of(repository.root / "cart.py", "cart", commit)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert find(event).permalinks
    assert find(event_with(commit, ("cart.py", "cart", 6, RAISING))) == Origin()


def test_relative_file(repository, monkeypatch):
    """A file's path may be relative to the project's root, or to the working directory."""
    commit = repository.commit({"src/cart.py": CART})
    event = event_with(commit, ("cart.py", "cart", 6, RAISING))

    assert find(event, project_root=str(repository.root / "src")).path == "src/cart.py"
    monkeypatch.chdir(repository.root / "src")
    assert find(event).path == "src/cart.py"


def test_broken_clone_in_another(repository):
    """A folder with an empty .git is no clone, and not a part of the one around it."""
    commit = repository.commit({"inner/cart.py": CART})
    (repository.root / "inner/.git").mkdir()

    assert clone.clone_at(str(repository.root / "inner")) is None
    assert find(event_of(repository.root / "inner/cart.py", "cart", commit)).permalinks == []


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))
FRAMES = st.fixed_dictionaries(
    {},
    optional={
        "file": st.sampled_from(["/", "x", "/a/site-packages/b.py", "..", "-x"]) | ANY,
        "module": st.sampled_from(["-x", "a.b", "..", "/etc/passwd"]) | ANY,
        "line": ANY,
        "code": ANY,
        "in_app": st.just(True) | ANY,
    },
)


@pytest.mark.slow
@given(frames=st.lists(FRAMES | ANY, max_size=4) | ANY, release=st.just(COMMIT) | ANY, root=st.none() | st.text())
@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=150)
def test_never_raises(frames, release, root):
    """Whatever an event holds, it has an origin or none."""
    find({"frames": frames, "release": release}, project_root=root)
    find({})
