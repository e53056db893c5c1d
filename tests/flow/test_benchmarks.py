import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent.parent


def benchmark(name, *options):
    """Run a script of benchmarks/ and return what it printed."""
    command = [sys.executable, str(ROOT / "benchmarks" / name), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def quick(name, tmp_path, *options):
    """Run a script's small round and return what it printed, and its figures."""
    said = benchmark(name, "--quick", "--json", str(tmp_path / "figures.json"), *options)
    return said, json.loads((tmp_path / "figures.json").read_text())


@pytest.mark.shows("github refuses", "nothing lost")
@pytest.mark.shows("github fails", "nothing lost")
@pytest.mark.shows("github hangs", "nothing lost")
def test_outage():
    """While GitHub is silent, failing or refusing, all is counted, and delivered once it answers."""
    said = benchmark("outage.py", "--seconds", "2", "--errors", "500")
    rows = said.splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["answers", "hang", "500", "401"]
    assert all("5 issues, 500 counted, drain 0 " in row for row in rows), said


def test_hotpath(tmp_path):
    """The benchmark of one call counts every error it made, as one issue, and measures every goal."""
    _, kept = quick("hotpath.py", tmp_path, "--only", "null,stdlib,three,four")
    for name in ("three", "four"):
        (repeat,) = kept["figures"]["repeat"][name]
        assert (repeat["counted"], repeat["issues"]) == (repeat["errors"], 1)
    assert all(goal["holds"] in ("yes", "NO") for goal in kept["goals"]), kept["goals"]


@pytest.mark.shows("storm", "nothing lost", "nothing twice", "bounded")
def test_storm(tmp_path):
    """A storm of one bug is one issue; nothing of it, or of a storm of different bugs, is uncounted."""
    _, kept = quick("storm.py", tmp_path)
    (same,), (distinct,) = kept["figures"]["one bug"]["four"], kept["figures"]["all different"]["four"]
    assert (same["issues"], same["bugs"], same["counted"]) == (1, 1, same["told"])
    assert same["requests_drained"] <= 10
    assert same["mails_drained"] <= 2
    assert (distinct["bugs"], distinct["counted"]) == (distinct["errors"] + 1, distinct["told"])
    assert distinct["issues"] <= 60


def test_grouping():
    """The comparison of grouping rules has every rule, and loghub's own is the best of them."""
    rows = benchmark("grouping.py").split("\n\n")[0].splitlines()[1:]
    scores = [float(row.split()[-1]) for row in rows]
    assert len(scores) == 6
    assert max(scores) == scores[0]


def test_import_time(tmp_path):
    """The benchmark of the import says which of the packages that it compares are not installed."""
    said, kept = quick("import_time.py", tmp_path)
    assert len(kept["figures"]["loghub"]) == 1
    assert ("not installed" in said) == (len(kept["figures"]) < 9)


def test_breadcrumbs(tmp_path):
    """The benchmark of breadcrumbs measures every goal."""
    _, kept = quick("breadcrumbs.py", tmp_path)
    assert [goal["holds"] in ("yes", "NO") for goal in kept["goals"]] == [True] * 6


def test_fold():
    """The benchmark of folding counts each occurrence once, in slices and at large."""
    said = benchmark("fold.py", "--repeats", "70000", "--bugs", "7")
    assert [line.split()[:2] for line in said.splitlines()] == [["slices", "70,007"], ["large", "70,007"]]


def test_rotating(tmp_path):
    """The benchmark of shared log files finds each of loghub's lines, also where writers are killed, and the goals."""
    _, kept = quick("rotating.py", tmp_path, "--only", "stdlib,loghub")
    figures = kept["figures"]
    ours = [run["loghub"][0] for run in (*figures["speed"].values(), figures["killed"])]
    ours += [runs[0] for which in ("variants", "variants killed") for runs in figures[which].values()]
    assert len(ours) == 4 + 1 + 4
    assert min(one["written"] for one in ours) > 500
    assert {one[what] for one in ours for what in ("lost", "doubled", "torn", "oversized")} == {0}
    assert len(kept["goals"]) == 6


def test_importing():
    """The benchmark of the import of log files counts exactly what it wrote, and nothing in a second run."""
    said = benchmark("importing.py", "--megabytes", "3", "--errors", "600", "--bugs", "20").splitlines()
    assert [line.split()[0] for line in said] == ["logs", "first", "search", "counts", "second"]
    assert "exact: 600 of 20 groups, 0 times off" in said[3]
    assert said[4].endswith("changed nothing")


def test_soak(tmp_path):
    """The soak counts exactly what its processes logged, while faults come and go and processes are killed."""
    options = ("--minutes", "0.5", "--bugs", "4", "--rate", "30", "--every", "1")
    said = benchmark("soak.py", *options, "--json", str(tmp_path / "figures.json"))
    kept = json.loads((tmp_path / "figures.json").read_text())
    assert kept["kills"] == 4, said
    assert kept["counts"]["expected"] == kept["counts"]["counted"] == kept["counts"]["issues"], said
    assert len(kept["counts"]["expected"]) == 4 + 2, said  # threads that end by an error, and kills
    assert kept["counts"]["mailed"] >= sum(kept["counts"]["expected"].values()), said
