"""Which of two releases is older."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from loghub import clone
from loghub.release_order import order
from tests.repositories import PLAIN, Repository

BACK = {"older": "newer", "newer": "older", "same": "same", "diverged": "diverged", None: None}


@pytest.fixture(autouse=True)
def _nobodys_git(monkeypatch):
    """Let git see no settings but the repository's, and remember nothing from the test before."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, PLAIN[name])
    for cache in (clone._begun, clone.objects, clone.apart):
        cache.cache_clear()


@pytest.mark.parametrize(
    ("one", "relation", "other"),
    [
        ("1.2.3", "older", "1.10.0"),
        ("1.2", "same", "1.2.0"),
        ("v1.2.3", "same", "1.2.3"),
        ("v9", "older", "v10"),
        ("v42", "older", "v123"),
        ("41", "older", "42"),
        ("1.0a1", "older", "1.0b1"),
        ("1.0rc1", "older", "1.0"),
        ("1.0.dev3", "older", "1.0a1"),
        ("1.0", "older", "1.0.post1"),
        ("1!1.0", "newer", "2.0"),
        ("1.0.0-rc.2", "older", "1.0.0-rc.10"),
        ("1.0.0-alpha", "older", "1.0.0-alpha.1"),
        ("1.0.0-alpha.beta", "older", "1.0.0-beta"),
        ("1.0.0-next.4", "older", "1.0.0"),
        ("shop@1.2.3", "older", "shop@1.3.0"),
        ("@org/shop@1.2.3", "older", "@org/shop@v1.3.0"),
        ("cart/v1.2.3", "older", "cart/v1.2.4"),
        ("shop-1.2.3+build.7", "older", "shop-1.2.4+build.1"),
        ("big-shop-2.0", "newer", "big-shop-1.9"),
        ("release_1.2", "older", "release_1.3"),
        ("py3-shop-1.2-rc1", "older", "py3-shop-1.2"),
        ("2024.9.1", "older", "2024.10.0"),
        ("2024.09.30", "older", "2024.10.01"),
        ("2024-09-30", "older", "2024-10-01"),
        ("2024-09-30.2", "newer", "2024-09-30.1"),
        ("20240930", "older", "20241001"),
        ("202409301200", "older", "202409301230"),
        ("shop-2024-09-30", "older", "shop-2024-10-01"),
        ("shop-00042-abc", "older", "shop-00043-aaa"),
        ("shop-00009-xyz", "older", "shop-100000-abc"),
        ("1.0-1", "older", "1.0-2"),
        ("1.0.0-1", "older", "1.0.1"),
        ("1.0.0+5", "older", "1.0.1+4"),
        ("x", "same", "x"),
        ("a" * 40, "same", "a" * 7),
        ("A" * 40, "same", "a" * 40),
    ],
)
def test_versions(one, relation, other):
    """Versions are ordered by their rules, whatever stands around them."""
    assert order(one, other) == relation
    assert order(other, one) == BACK[relation]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0.0-1", "1.0.0"),  # after it for Python and Debian, before it for Semantic Versioning
        ("1.0.0-dev.1", "1.0.0-alpha.1"),  # likewise
        ("1.0.0+5", "1.0.0+6"),  # a later one for Python, the same for Semantic Versioning
        ("shop@1.2", "cart@1.3"),
        ("shop@1.2", "1.3"),
        ("shop-00042-abc", "cart-00043-abc"),
        ("shop-00042-abc", "shop-1.2"),
        ("1234567", "7654321"),  # two commits with no letter in them
        ("shop-1234567", "shop-7654321"),
        ("abc1234", "def5678"),
        ("a" * 40, "b" * 40),
        ("a" * 40, "1.2.3"),
        ("1.2.3-abc1234", "1.2.3-def5678"),
        ("1.2.3-4-gabc1234", "1.2.3"),  # git describe: four commits later
        ("1.2.3-dirty", "1.2.3"),
        ("1.2.3.dirty", "1.2.4"),
        ("main", "develop"),
        ("", "1"),
        ("1." * 150 + "0", "1.0"),
        ("aaaaaaa", "aaaaaaab"),
        ("²", "1"),
        ("latest", "1.0"),
        ("1.2.x", "1.2.3"),
        ("1..2", "1.3"),
    ],
)
def test_unknown(one, other):
    """What no rule tells, or what two rules tell otherwise, is unknown."""
    assert order(one, other) is None
    assert order(other, one) is None


numbers = st.integers(0, 30).map(str)
pep440 = st.builds(
    "{}{}{}{}{}{}".format,
    st.sampled_from(["", "", "v", "1!"]),
    st.lists(numbers, min_size=1, max_size=4).map(".".join),
    st.sampled_from(["", "", "a1", ".b2", "-rc.3", "rc", "_alpha", "pre4", "c1", "preview2"]),
    st.sampled_from(["", "", ".post1", "-2", "-r3", "post"]),
    st.sampled_from(["", "", ".dev1", "dev", "-dev2"]),
    st.sampled_from(["", "", "+a", "+1", "+a.1", "+1-a"]),
)
semver = st.builds(
    "{}.{}.{}{}{}".format,
    numbers, numbers, numbers,
    st.sampled_from(["", "", "-alpha", "-alpha.1", "-alpha.beta", "-rc.1", "-rc.11", "-1", "-1.a", "-x-y", "-dev"]),
    st.sampled_from(["", "", "+1", "+a-b.c"]),
)  # fmt: skip
SEMVER = re.compile(r"v?\d+\.\d+\.\d+(?:[-+].*)?$")
names = st.sampled_from(["", "", "shop@", "shop-", "big-shop@v", "cart/"])
versions = st.builds("{}{}".format, names, pep440 | semver) | st.sampled_from(
    ["shop-00042-abc", "shop-00043-abc", "20240101", "2024-01-01", "v7", "abc1234"]
)


@given(versions, versions)
def test_antisymmetric(one, other):
    """What is older one way round is newer the other way round."""
    assert order(one, other, "/") == BACK[order(other, one, "/")]
    assert order(one, one, "/") == "same"


def ends(three):
    """Yield, for each chain that three releases make, what its ends must be and what they are."""
    for one, middle, other in itertools.permutations(three):
        links = [order(one, middle, "/"), order(middle, other, "/")]
        if None not in links and "newer" not in links:
            yield "older" if "older" in links else "same", order(one, other, "/")


@pytest.mark.slow
@given(names, st.lists(pep440 | semver, min_size=3, max_size=3))
@example("", ["1.0rc1", "1.0.0-alpha", "1.0.0-alpha.beta"])
def test_transitive(name, three):
    """Along a chain nothing turns round; where both sets of rules are at work the ends may be unknown."""
    for expected, found in ends([name + version for version in three]):
        assert found in {expected, None}


@pytest.mark.slow
@given(st.lists(pep440.filter(lambda text: not SEMVER.match(text)), min_size=3, max_size=3))
def test_transitive_within_one_set_of_rules(three):
    """Where one set of rules tells all three, it tells the ends."""
    chains = list(ends(three))

    assert chains
    assert all(expected == found for expected, found in chains)


@given(pep440, pep440)
def test_as_packaging(one, other):
    """Where only PEP 440 has a say, the order is that of the reference implementation."""
    assume(not (SEMVER.match(one) and SEMVER.match(other)))
    expected = "same" if Version(one) == Version(other) else "older" if Version(one) < Version(other) else "newer"

    assert order(one, other, "/") == expected


@given(st.text("0123456789.abrcdevpost-_+!v", max_size=12), st.just("1!0"))
def test_no_more_than_packaging(one, other):
    """Nothing is taken for a version that none of the rules allow."""
    if order(one, other, "/") is None:
        return
    try:
        Version(one.replace("-", ".") if re.match(r"\d{4}-", one) else one)
    except InvalidVersion:
        assert re.search("[-_]", one), "a name before a version"


def test_semver_example():
    """The specification's own chain is in order."""
    chain = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
             "1.0.0-rc.1", "1.0.0"]  # fmt: skip
    for number, one in enumerate(chain):
        for other in chain[number + 1 :]:
            assert order(one, other) == "older"


@given(st.text(), st.text())
@settings(deadline=None)
def test_never_raises(one, other):
    """Any two texts have an order or none."""
    order(one, other, "/")
    order(one, "1", other)


# By git


@pytest.fixture
def history(tmp_path):
    """Return a repository and its commits: base, left and right of it, and both merged; base is v1.0, merged 1.1."""
    repository = Repository(tmp_path / "shop")
    commits = {"base": repository.commit()}
    repository.git("tag", "v1.0")
    repository.git("checkout", "-q", "-b", "other")
    commits["left"] = repository.commit()
    repository.git("checkout", "-q", "main")
    commits["right"] = repository.commit()
    repository.git("merge", "-q", "--no-ff", "-m", "both", "other")
    commits["merged"] = repository.git("rev-parse", "HEAD")
    repository.git("tag", "-a", "-m", "release", "1.1")
    return repository, commits


def test_ancestry(history):
    """What leads to a commit is older; what does not and is not led to has diverged."""
    repository, commits = history
    root = str(repository.root)
    expected = {
        ("base", "left"): "older", ("base", "right"): "older", ("base", "merged"): "older",
        ("left", "right"): "diverged", ("left", "merged"): "older", ("right", "merged"): "older",
    }  # fmt: skip
    for (one, other), relation in expected.items():
        for length in (40, 7):
            assert order(commits[one][:length], commits[other].upper(), root) == relation
            assert order(commits[other], commits[one][:length], root) == BACK[relation]


def test_tags(history):
    """A tag is known with its v and without it, annotated or not; so is what git describe makes of one."""
    repository, commits = history
    root = str(repository.root)

    assert order("1.0", "v1.1", root) == "older"
    assert order("v1.1", commits["right"], root) == "newer"
    assert order("1.1", commits["merged"], root) == "same"
    assert order(f"v1.0-1-g{commits['left'][:9]}", "v1.0", root) == "newer"


def test_git_before_versions(history):
    """Where git knows both, what it says counts, not the numbers."""
    repository, commits = history
    root = str(repository.root)
    repository.git("tag", "0.9", commits["merged"])
    repository.git("tag", "2.0", commits["left"])
    repository.git("tag", "3.0", commits["right"])

    assert order("v1.0", "0.9", root) == "older"
    assert order("2.0", "3.0", root) == "diverged"
    assert order("2.0", "3.1", root) == "older"  # as versions: git does not know the second


def test_below_the_top(history, monkeypatch):
    """A folder in the clone leads to it, and the working directory does by default."""
    repository, commits = history
    (repository.root / "src").mkdir()

    assert order(commits["base"], commits["left"], str(repository.root / "src")) == "older"
    monkeypatch.chdir(repository.root / "src")
    assert order(commits["base"], commits["left"]) == "older"


def test_branches_are_no_releases(history):
    """A branch's name is none for a release, even one that looks like an abbreviated commit."""
    repository, commits = history
    root = str(repository.root)
    repository.git("branch", commits["base"][:8], commits["merged"])

    assert order("other", commits["base"], root) is None
    assert order(commits["base"][:8], commits["left"], root) in {"older", None}


@pytest.mark.parametrize(
    "name",
    ["--all", "-x", "HEAD", "v1.0^", "v1.0~1", "v1.0..1.1", "@", "@{-1}", "main@{0}", ":/both", "v1.0\n1.1",
     "heads/main", "../heads/main", "", " ", "v1.0:", "refs/tags/v1.0", "*", "\0", "\udcff"],
)  # fmt: skip
def test_no_expressions(name, history):
    """Nothing but a name is looked up: no options, expressions, ranges or other references."""
    repository, commits = history

    assert order(name, commits["merged"], str(repository.root)) is None


def test_shallow_clone(history, tmp_path):
    """A clone that was cut tells what it can prove and nothing else."""
    repository, commits = history
    cut = str(tmp_path / "cut")
    repository.git("clone", "-q", "--depth=2", f"file://{repository.root}", cut)

    assert order(commits["right"], commits["merged"], cut) == "older"
    assert order(commits["left"], commits["right"], cut) is None
    assert order(commits["base"], commits["merged"], cut) is None


def test_unrelated(history):
    """Two histories without a common commit have diverged."""
    repository, commits = history
    repository.git("checkout", "-q", "--orphan", "fresh")
    fresh = repository.commit()

    assert order(fresh, commits["base"], str(repository.root)) == "diverged"


def test_replaced_commits(history):
    """Replacements that only this clone has do not change history, as they do not on the server."""
    repository, commits = history
    repository.git("replace", "--graft", commits["merged"])

    assert order(commits["base"], commits["merged"], str(repository.root)) == "older"
