"""What was deployed, and where a file is in its repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.release import (
    PLATFORM_COMMITS,
    PLATFORM_NAMES,
    _on_disk,
    find_release,
    installed_from,
    installed_part,
    is_commit,
    permalink,
    repository_path,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def checkout(tmp_path):
    """Return a function that lays out a checkout from the contents of the files in its .git."""

    def make(**files):
        root = tmp_path / "shop"
        (root / ".git").mkdir(parents=True)
        for name, text in files.items():
            path = root / ".git" / name.replace("__", "/").replace("packed_refs", "packed-refs")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    return make


def git(*arguments, cwd):
    """Run git without anybody's settings; return what it printed."""
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "protocol.file.allow=always"]
    done = subprocess.run(["git", *who, *arguments], cwd=cwd, env=plain, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """Return a repository with one commit on the branch main, and that commit."""
    root = tmp_path / "real"
    root.mkdir()
    git("init", "-q", "-b", "main", cwd=root)
    (root / "app.py").write_text("x = 1\n")
    git("add", ".", cwd=root)
    git("commit", "-q", "-m", "one", cwd=root)
    return root, git("rev-parse", "HEAD", cwd=root)


def test_explicit_first(checkout):
    """LOGHUB_RELEASE wins over the platform and over the disk."""
    root = checkout(HEAD=COMMIT)

    assert find_release(str(root), {"LOGHUB_RELEASE": " 1.4.2 ", "GITHUB_SHA": OTHER}) == "1.4.2"


@pytest.mark.parametrize("name", PLATFORM_COMMITS)
def test_platform_commit(name, checkout):
    """Each platform's variable for the commit is known and wins over the disk, and over a mere name."""
    environ = dict.fromkeys(PLATFORM_NAMES, "shop-00042-abc") | {name: OTHER}

    assert find_release(str(checkout(HEAD=COMMIT)), environ) == OTHER


@pytest.mark.parametrize("name", PLATFORM_NAMES)
def test_platform_name(name, checkout, tmp_path):
    """Each platform's name for a deployment is known, and taken where nothing names the commit."""
    assert find_release(str(tmp_path), {name: "shop-00042-abc"}) == "shop-00042-abc"
    assert find_release(str(checkout(HEAD=COMMIT)), {name: "shop-00042-abc"}) == COMMIT


@pytest.mark.parametrize(
    ("environ", "release"),
    [
        # As the vendors' pages show them, with what they set beside it.
        ({"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": COMMIT}, COMMIT),
        ({"HEROKU_RELEASE_VERSION": "v42", "HEROKU_SLUG_COMMIT": COMMIT, "HEROKU_BUILD_COMMIT": COMMIT}, COMMIT),
        ({"HEROKU_RELEASE_VERSION": "v42", "HEROKU_SLUG_COMMIT": ""}, "v42"),
        ({"K_SERVICE": "shop", "K_REVISION": "shop-00042-abc", "K_CONFIGURATION": "shop"}, "shop-00042-abc"),
        ({"CODEBUILD_SOURCE_VERSION": "main", "CODEBUILD_RESOLVED_SOURCE_VERSION": COMMIT}, COMMIT),
        ({"CIRCLECI": "true", "CIRCLE_TAG": "v1", "CIRCLE_SHA1": COMMIT}, COMMIT),
    ],
)
def test_vendors(environ, release, tmp_path):
    """What a vendor sets leads to the commit, or to the name where there is none."""
    assert find_release(str(tmp_path), environ) == release


@pytest.mark.parametrize("value", ["", "  ", "x" * 201, "a\x00b", "a\x1b[31m"])
def test_useless_variable(value, checkout):
    """A variable that can be no release's name is passed over."""
    assert find_release(str(checkout(HEAD=COMMIT)), {"LOGHUB_RELEASE": value}) == COMMIT


def test_revision_file(checkout):
    """A REVISION file in the root wins over the checkout; only its first line counts."""
    root = checkout(HEAD=COMMIT)
    (root / "REVISION").write_text(f"{OTHER}\ndeployed by hand\n")

    assert find_release(str(root), {}) == OTHER


def test_nothing_says_so(tmp_path):
    """Without any of them there is no release."""
    assert find_release(str(tmp_path), {}) is None


def test_git_branch(repository):
    """The commit of the branch that is checked out is read, from the root and from below it."""
    root, commit = repository
    (root / "src").mkdir()

    assert find_release(str(root), {}) == commit
    assert find_release(str(root / "src"), {}) == commit


def test_git_packed(repository):
    """A reference that git packed away is found among others."""
    root, commit = repository
    git("branch", "a/main", cwd=root)
    git("tag", "-a", "-m", "t", "v1", cwd=root)
    git("pack-refs", "--all", cwd=root)
    assert not (root / ".git/refs/heads/main").exists()

    assert find_release(str(root), {}) == commit


def test_git_detached(repository):
    """A detached HEAD is a commit itself."""
    root, commit = repository
    git("checkout", "-q", "--detach", cwd=root)

    assert find_release(str(root), {}) == commit


@pytest.mark.parametrize("pack", [False, True])
def test_git_worktree(repository, tmp_path, pack):
    """A worktree has its own HEAD, and its branch in the main repository."""
    root, _ = repository
    tree = tmp_path / "tree"
    git("worktree", "add", "-q", "-b", "other", str(tree), cwd=root)
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=tree)
    if pack:
        git("pack-refs", "--all", cwd=root)

    assert find_release(str(tree), {}) == git("rev-parse", "other", cwd=root)


def test_git_submodule(repository, tmp_path):
    """In a submodule .git is a file with a relative path."""
    inner, commit = repository
    outer = tmp_path / "outer"
    outer.mkdir()
    git("init", "-q", cwd=outer)
    git("submodule", "add", "-q", str(inner), "lib/inner", cwd=outer)
    assert (outer / "lib/inner/.git").is_file()

    assert find_release(str(outer / "lib/inner"), {}) == commit


def test_git_sha256(checkout):
    """A repository with longer hashes has a release, though not one that can be linked to."""
    release = find_release(str(checkout(HEAD="ab" * 32)), {})

    assert release == "ab" * 32
    assert not is_commit(release)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"HEAD": ""},
        {"HEAD": "ref: refs/heads/main\n"},
        {"HEAD": "ref: refs/heads/.invalid\n", "reftable__tables.list": "0x1-0x2.ref\n", "refs__heads": "no folder"},
        {"HEAD": "ref: ../../outside\n"},
        {"HEAD": "ref: refs/../../outside\n"},
        {"HEAD": "ref: refs/heads/a\n", "refs__heads__a": "ref: refs/heads/a\n"},
        {"HEAD": "ref: refs/heads/a\n", "packed_refs": f"{COMMIT} refs/heads/a"},
        {"HEAD": "deadbeef\n"},
        {"HEAD": "\x00\xff"},
    ],
)
def test_git_odd(files, checkout):
    """An unborn, broken, endless or escaping HEAD is no release and no error."""
    root = checkout(**files)
    (root.parent / "outside").write_text(COMMIT)

    assert find_release(str(root), {}) is None


def test_git_file_odd(tmp_path):
    """A .git file that names no folder is no release."""
    for number, text in enumerate(["", "gitdir: ", "gitdir: /nowhere\n", "hello"]):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / ".git").write_text(text)
        assert find_release(str(tmp_path / str(number)), {}) is None


def test_only_regular_files(checkout):
    """A pipe named REVISION does not keep the application waiting."""
    root = checkout(HEAD=COMMIT)
    os.mkfifo(root / "REVISION")

    assert find_release(str(root), {}) == COMMIT


def test_huge_revision(checkout):
    """Of a huge file only the start is read, and that is no name."""
    root = checkout(HEAD=COMMIT)
    with open(root / "REVISION", "wb") as file:
        file.truncate(50 * 1024**2)

    tracemalloc.start()
    assert find_release(str(root), {}) == COMMIT
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1024**2


def installed(site, name, distribution, direct_url):
    """Lay out a package as pip leaves it; return its folder."""
    (site / name).mkdir(parents=True)
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "direct_url.json").write_text(direct_url)
    return str(site / name)


def test_installed_from_git(tmp_path):
    """A package that pip installed from a commit has that as its release, whatever checkout is around it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(OTHER)
    url = json.dumps({"url": "https://localhost/s.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}})
    site = tmp_path / ".venv" / "site-packages"

    assert find_release(installed(site, "big_shop", "Big.Shop", url), {}) == COMMIT


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"vcs_info": 1}', '{"vcs_info": {"commit_id": 7}}', '{"dir_info": {}}', "[" * 4000],
)
def test_installed_otherwise(text, tmp_path):
    """A package that came from elsewhere has no release, and neither has a broken file."""
    assert find_release(installed(tmp_path / "site-packages", "shop", "shop", text), {}) is None


def test_installed_under_another_name(tmp_path):
    """A distribution that is called otherwise than its package lists it among its files."""
    site = tmp_path / "site-packages"
    package = installed(site, "shop", "acme_store", json.dumps({"vcs_info": {"commit_id": COMMIT}}))
    installed(site, "other", "acme_other", json.dumps({"vcs_info": {"commit_id": OTHER}}))
    (site / "acme_other-1.0.dist-info/RECORD").write_text("other/shop/__init__.py,,\nshop.py,,\nshop/x.py,,\n")
    assert find_release(package, {}) is None

    (site / "acme_store-1.0.dist-info/RECORD").write_text("acme.txt,,\nshop/__init__.py,sha256=x,0\n")
    assert installed_from(str(site), "shop") == {"vcs_info": {"commit_id": COMMIT}}
    _on_disk.cache_clear()
    assert find_release(package, {}) == COMMIT
    (site / "shop/web").mkdir()
    assert find_release(str(site / "shop/web"), {}) == COMMIT


def test_installed_part():
    """A path is told from the innermost folder of installed packages on it."""
    assert installed_part("/v/lib/site-packages/shop/a.py") == ("/v/lib/site-packages", "shop/a.py")
    assert installed_part("/v/site-packages/x/dist-packages/a.py") == ("/v/site-packages/x/dist-packages", "a.py")
    assert installed_part("/v/site-packages") is None
    assert installed_part("/srv/shop/a.py") is None


def test_found_by_default(repository):
    """Without a root the working directory is asked, and then the folder of the main module."""
    root, commit = repository
    script = root / "main.py"
    script.write_text("from loghub.release import find_release\nprint(find_release(environ={}))\n")
    environ = {**os.environ, "PYTHONPATH": os.path.abspath(os.path.join(__file__, "../.."))}
    for cwd, asked in ((root, ["-c", script.read_text()]), ("/", [str(script)])):
        done = subprocess.run(
            [sys.executable, *asked], cwd=cwd, env=environ, check=True, capture_output=True, text=True
        )
        assert done.stdout.strip() == commit


def test_deleted_working_directory(tmp_path, monkeypatch):
    """A process whose working directory is gone gets an answer all the same."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert find_release("shop", {}) is None
    assert repository_path("shop/app.py", "shop") is None
    find_release(None, {})


def test_remembered(checkout):
    """A checkout that moves on under a running process does not change what the process runs."""
    root = checkout(HEAD=COMMIT)
    assert find_release(str(root), {}) == COMMIT
    (root / ".git" / "HEAD").write_text(OTHER)

    assert find_release(str(root), {}) == COMMIT


def test_quick(tmp_path):
    """The first look at a typical checkout takes less than a millisecond."""
    took = []
    for number in range(20):
        root = tmp_path / str(number)
        (root / ".git" / "refs" / "heads").mkdir(parents=True)
        (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        (root / ".git" / "refs" / "heads" / "main").write_text(COMMIT)
        start = time.perf_counter()
        assert find_release(str(root), {}) == COMMIT
        took.append(time.perf_counter() - start)
    assert min(took) < 0.001


@given(root=st.text(), value=st.text())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_never_raises(root, value):
    """No root, file or variable makes it raise."""
    find_release("/nowhere/" + root, {"GITHUB_SHA": value})
    is_commit(value)
    repository_path(root, value)
    repository_path("/nowhere/" + root, "/nowhere")


@pytest.mark.parametrize(
    ("release", "whole"),
    [
        (COMMIT, True),
        (COMMIT.upper(), True),
        (COMMIT[:12], False),
        (COMMIT + "\n", False),
        ("", False),
        (None, False),
    ],
)
def test_is_commit(release, whole):
    """Only 40 hex digits are a commit."""
    assert is_commit(release) is whole


def test_path_in_checkout(checkout):
    """A file's path is told from the folder that has .git, also for a project in a subfolder of it."""
    root = checkout(HEAD=COMMIT)
    file = str(root / "services" / "cart" / "app.py")

    assert repository_path(file, None) == "services/cart/app.py"
    assert repository_path(file, str(root / "services")) == "services/cart/app.py"
    assert repository_path(str(root / "services" / ".." / "app.py"), None) == "app.py"


def test_path_in_container(tmp_path):
    """Where there is no .git, a file's path is told from the project's root."""
    file = str(tmp_path / "shop" / "cart.py")

    assert repository_path(file, str(tmp_path)) == "shop/cart.py"
    assert repository_path(file, str(tmp_path) + os.sep) == "shop/cart.py"
    assert repository_path(file, str(tmp_path / "sho")) is None
    assert repository_path(file, None) is None


def test_path_through_a_link(tmp_path):
    """A root that is a link to the release's folder is the root of what lies there."""
    (tmp_path / "releases" / "7").mkdir(parents=True)
    (tmp_path / "current").symlink_to(tmp_path / "releases" / "7")

    assert repository_path(str(tmp_path / "releases/7/a.py"), str(tmp_path / "current")) == "a.py"
    assert repository_path(str(tmp_path / "current/a.py"), str(tmp_path / "current")) == "a.py"


def test_path_relative(tmp_path):
    """A relative file is below the project's root if it is there; anything else is no file."""
    (tmp_path / "app.py").write_text("")

    assert repository_path("app.py", str(tmp_path)) == "app.py"
    assert repository_path("<string>", str(tmp_path)) is None
    assert repository_path("<frozen importlib._bootstrap>", str(tmp_path)) is None
    assert repository_path("../../etc/passwd", str(tmp_path)) is None


def test_path_of_installed_package(checkout):
    """A package installed inside the checkout is not in the repository."""
    root = checkout(HEAD=COMMIT)

    assert repository_path(str(root / ".venv/lib/python3.11/site-packages/requests/api.py"), str(root)) is None


@pytest.mark.parametrize("name", ["shop.pyz", "shop.zip", "shop-1.0-py3.11.EGG", "shop.whl"])
def test_path_in_an_archive(name, checkout):
    """A member of an archive is no file of the repository; a file that is called like one may be."""
    root = checkout(HEAD=COMMIT)

    assert repository_path(str(root / name / "shop" / "cart.py"), None) is None
    assert repository_path(str(root / name), None) == name


def test_permalink():
    """A permalink holds the whole commit, the encoded path and the line."""
    address = permalink("https://github.com/", "o/r", COMMIT.upper(), "a b/ü#?@<x>.py", 12)

    assert address == f"https://github.com/o/r/blob/{COMMIT}/a%20b/%C3%BC%23%3F%40%3Cx%3E.py#L12"
    assert permalink("https://github.com", "o/r", COMMIT, "a.py", 0).endswith("/a.py")


def test_permalink_of_no_commit():
    """A version or a short commit cannot be linked to, and the error says what to do."""
    with pytest.raises(ValueError, match=r"40 hex digits, not '1\.2'; ask is_commit first"):
        permalink("https://github.com", "o/r", "1.2", "a.py", 1)
