"""Who owns a file: GitHub's rules for CODEOWNERS, in our own words."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.github.codeowners import MAX_BYTES, find, owners
from tests.repositories import Repository

FILE = """
# Whoever is named here owns what nobody else does.
*           @everyone @deputy

*.js        @js  # and nothing else
*.go        gopher@host.example
*.txt       @org/writers @texts
/build/logs/   @logs
docs/*      @docs
apps/       @apps
/scripts/   @ops @tools
**/logs     @loggers
/apps/      @top
/apps/free
/with\\ space/  @space
"""


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("README.md", ["everyone", "deputy"]),
        ("a/b/c.py", ["everyone", "deputy"]),
        ("a/b/c.js", ["js"]),
        ("a/b/c.JS", ["everyone", "deputy"]),
        ("main.go", []),
        ("a.txt", ["texts"]),
        ("docs/start.md", ["docs"]),
        ("docs/deep/more.md", ["everyone", "deputy"]),
        ("a/docs/start.md", ["everyone", "deputy"]),
        ("a/apps/b/c.js", ["apps"]),
        ("apps/b/c.js", ["top"]),
        ("apps/free/c.js", []),
        ("apps/free", []),
        ("apps/freedom/c.js", ["top"]),
        ("scripts/a/b", ["ops", "tools"]),
        ("a/scripts/b", ["everyone", "deputy"]),
        ("build/logs/x.log", ["loggers"]),
        ("deeply/nested/logs/a/b", ["loggers"]),
        ("with space/x", ["space"]),
        ("with/space/x", ["everyone", "deputy"]),
    ],
)
def test_last_match_wins(path, who):
    """The last pattern that matches says who owns a file; one without owners says that nobody does."""
    assert owners(FILE, path) == who


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("foo", "foo foo/bar bar/foo bar/foo/baz", "foo.txt bar/foo.txt Foo"),
        ("/foo", "foo foo/bar foo/bar/baz", "fool bar/foo bar/foo/baz"),
        ("foo/", "foo/bar foo/bar/baz bar/foo/baz", "foo bar/foo"),
        ("/foo/", "foo/bar foo/bar/baz", "foo bar/foo bar/foo/baz"),
        ("foo/bar", "foo/bar foo/bar/baz", "foo/bart baz/foo/bar"),
        ("foo/bar/", "foo/bar/baz foo/bar/baz/q", "foo/bar baz/foo/bar/q"),
        ("*", "a a/b a/b/c .github/x", ""),
        ("/*", "a .x", "a/b a/b/c"),
        ("**", "a a/b a/b/c", ""),
        ("/**", "a a/b a/b/c", ""),
        ("/*/", "a/b a/b/c", "a"),
        ("f*", "foo foo/bar bar/foo f", "xfoo"),
        ("/f*/", "foo/bar foo/a/b", "foo bar/foo/x"),
        ("foo/*", "foo/bar", "foo foo/bar/baz bar/foo/baz"),
        ("foo/*.txt", "foo/a.txt foo/.txt", "foo/a/b.txt q/foo/a.txt foo/a.txt2"),
        ("foo/*/baz", "foo/bar/baz foo/bar/baz/q", "foo/baz foo/a/b/baz"),
        ("f?o", "foo fxo/y", "fo fooo f/o"),
        (r"f\*o", "f*o", r"foo f\*o"),
        (r"f\?o", "f?o", "foo"),
        (r"a\#b", "a#b", "a"),
        ("a#b", "a#b", "a"),
        ("**/foo/bar", "foo/bar a/foo/bar a/b/foo/bar/c", "foo/a/bar"),
        ("foo/bar/**", "foo/bar/a foo/bar/a/b", "foo/bar a/foo/bar/b"),
        ("foo/**/bar", "foo/bar foo/a/bar foo/a/b/bar/c", "foo a/foo/bar foo/abar"),
        ("foo/**/", "foo/a foo/a/b", "foo"),
        ("foo/**/bar/b*", "foo/bar/b foo/x/bar/bz", "foo/bar foo/x/bar/q"),
        ("**/*bar*", "bar a/bar a/rebars/x", "foo"),
        ("a*b*a", "aba abba axbxa", "a ab aba/../x aab"),
        ("a*a", "aa aba", "a ab"),
        ("a**b", "ab axb", "a/b a/x/b"),
        ("ü.py", "ü.py a/ü.py", "u.py"),
        ("a.b", "a.b", "axb"),
        ("/", "", "a a/b"),
        ("//", "", "a a/b"),
    ],
)
def test_pattern(pattern, yes, no):
    """What a pattern matches, and what it does not."""
    for path in yes.split():
        assert owners(f"{pattern} @me", path) == ["me"], path
    for path in no.split():
        if ".." not in path:
            assert owners(f"{pattern} @me", path) == [], path


@pytest.mark.parametrize(
    "line",
    ["!*.py @you", "[ab].py @you", "*.p[xy] @you", r"\#a.py @you", "a/***/b @you", "a.py you", "a.py @you extra",
     "a.py @-you", "a.py @", "a.py @@you", "# a.py @you", "  # a.py @you", "", "   ", "\\", "a.py \\", "@you"],
)  # fmt: skip
def test_line_skipped(line):
    """A comment, a line of what GitHub cannot do and one that is malformed change nothing."""
    assert owners(f"a.py @me\n{line}\n", "a.py") == ["me"]
    assert owners(f"{line}\n", "a.py") == []


@pytest.mark.parametrize(
    ("line", "who"),
    [
        ("a.py @me # @you", ["me"]),
        ("a.py @me #@you", ["me"]),
        ("a.py\t@me\t@you\r", ["me", "you"]),
        ("  a.py @me @me", ["me"]),
        ("a.py # @me", []),
        ("\ufeffa.py @me", ["me"]),
        ("a.py @org/team me@host.example @me", ["me"]),
        ("a.py @me-too @user_corp", ["me-too", "user_corp"]),
    ],
)
def test_owners_of_a_line(line, who):
    """Owners are the users' logins, each once, until a comment; teams and addresses cannot be assigned."""
    assert owners(line, "a.py") == who


def test_case_of_pattern():
    """Paths are told apart by case on every system."""
    assert owners("/Docs/ @me", "docs/a") == []


def test_time_is_bounded():
    """A pattern made to be slow is not: hundreds of asterisks take milliseconds."""
    pattern = "/".join(["**"] * 100 + ["*a" * 200 + "b"] * 20)
    start = time.perf_counter()

    assert owners(f"{pattern} @me", "/".join(["a" * 255] * 15)) == []
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("first", [".github", "", "docs"])
def test_place(first, tmp_path):
    """The file is looked for in .github, then at the top, then in docs."""
    places = [".github", "", "docs"]
    for place in places[places.index(first) :]:
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "CODEOWNERS").write_text(f"* @{place or 'top'}")

    assert find(str(tmp_path)) == f"* @{first or 'top'}"


def test_place_in_a_clone(tmp_path):
    """For a project in a subfolder it is the file of the repository that counts."""
    repository = Repository(tmp_path)
    repository.write({"CODEOWNERS": "* @me", "services/cart/CODEOWNERS": "* @you"})

    assert find(str(tmp_path / "services/cart")) == "* @me"


def test_no_file(tmp_path):
    """Without a file, or with what is none, there is no text."""
    assert find(str(tmp_path)) is None
    assert find("\0") is None
    (tmp_path / "CODEOWNERS").mkdir()
    assert find(str(tmp_path)) is None
    (tmp_path / "docs").mkdir()
    os.mkfifo(tmp_path / "docs/CODEOWNERS")
    assert find(str(tmp_path)) is None


def test_size(tmp_path):
    """A file of 3 MB is not loaded, one that is a byte shorter is; a file that cannot be loaded hides the next."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/CODEOWNERS").write_text("* @me")
    text = "ü" * (MAX_BYTES // 2)
    (tmp_path / "CODEOWNERS").write_text(text[:-1] + "x")
    assert find(str(tmp_path)) == text[:-1] + "x"
    (tmp_path / "CODEOWNERS").write_text(text)
    assert find(str(tmp_path)) is None


NAMES = st.text("ab*?", min_size=1, max_size=4).filter(lambda name: "**" not in name and name != "*") | st.just("**")
PATTERNS = (
    st.tuples(
        st.sampled_from(["", "/"]), st.lists(NAMES, min_size=1, max_size=4).map("/".join), st.sampled_from(["", "/"])
    )
    .map("".join)
    .filter(lambda pattern: not pattern.endswith("**/"))
)
PATHS = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="module")
def ignoring(tmp_path_factory):
    """Return a function that asks git whether a pattern of gitignore matches a path."""
    root = tmp_path_factory.mktemp("ignoring")
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "init", "-q", str(root)], env=environ, check=True)

    def matches(pattern, paths):
        (root / ".gitignore").write_text(pattern + "\n")
        done = subprocess.run(
            ["git", "check-ignore", "--no-index", "--stdin"], input="\n".join(paths), cwd=root, env=environ,
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode in {0, 1}, done.stderr
        return set(done.stdout.split())

    return matches


@pytest.mark.slow
@given(pattern=PATTERNS, paths=st.lists(PATHS, min_size=1, max_size=20))
@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=150)
def test_as_gitignore(pattern, paths, ignoring):
    """Where GitHub takes over gitignore's rules, git itself matches the same files."""
    assert {path for path in paths if owners(f"{pattern} @me", path)} == ignoring(pattern, paths)


@given(text=st.text(), path=st.text())
@settings(deadline=None)
def test_never_raises(text, path):
    """Any text is a file, and any path has owners or none."""
    owners(text, path)
    find(path)
