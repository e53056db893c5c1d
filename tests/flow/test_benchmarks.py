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


def soaked():
    """Return figures of half an hour in which nothing went wrong, as --json keeps them."""
    use = {"pid": 1, "memory": 30.0, "resident": 40.0, "descriptors": 18, "threads": 5}
    sizes = {"journals": 10**6, "waiting": 0, "ledger": 10**7, "wal": 4 * 10**6, "details": 400, "detail_bytes": 10**6}
    sample = sizes | {"logs": 10**6, "lives": 4}
    bugs = {"aaaa": 700, "kills": 4}
    counts = {"expected": bugs, "counted": dict(bugs), "issues": dict(bugs), "groups": 2, "open issues": 2, "mails": 9}
    counts |= {"mailed": 704, "dropped": 0, "requests": 50, "records": 3000, "mended": 1, "kept": [300, 10**7]}
    counts |= {"lines": {"left": 2000, "wrong": 0}, "violations": []}
    return {
        "samples": [sample | {"at": at, "processes": {"a": dict(use), "b": dict(use)}} for at in range(0, 1801, 10)],
        "counts": counts,
        "kills": 4,
        "told again": 0,
        "hours": [1],
        "verbs": {"groups": 30},
        "troubles": [],
        "date": "",
        "machine": "",
        "minutes": 30,
        "rate": 100,
    }


def judged(kept, tmp_path):
    """Return the goals that the soak says do not hold; its exit code has to say the same."""
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(kept))
    command = [sys.executable, str(ROOT / "benchmarks/soak.py"), "--draw", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = [line.partition("  ")[0] for line in done.stdout.splitlines() if line.endswith("  NO")]
    assert done.returncode == bool(found), done.stdout + done.stderr
    return found


def test_soak_holds(tmp_path):
    """Half an hour in which nothing grows, and which is counted right, holds each goal."""
    assert judged(soaked(), tmp_path) == []


@pytest.mark.parametrize(("figure", "an_hour"), [("memory", 5), ("descriptors", 4), ("threads", 4)])
def test_soak_finds_what_grows(tmp_path, figure, an_hour):
    """Of a figure that grows in one process, be it a little at a time, the soak says so."""
    kept = soaked()
    for one in kept["samples"]:
        one["processes"]["b"][figure] += one["at"] / 3600 * an_hour
    assert judged(kept, tmp_path) == [f"{figure} of a process: growth"]


@pytest.mark.parametrize(("what", "said"), [("counted", "the ledger counts"), ("issues", "the issues count")])
@pytest.mark.parametrize("by", [-1, 1])
def test_soak_finds_what_is_counted_wrong(tmp_path, what, said, by):
    """One occurrence too few or too many, and the soak says so."""
    kept = soaked()
    kept["counts"][what]["aaaa"] += by
    assert judged(kept, tmp_path) == [f"occurrences that {said} wrong"]


@pytest.mark.parametrize(("again", "by", "right"), [(0, -1, False), (0, 1, False), (1, 1, True), (1, -1, False)])
def test_soak_finds_mails_that_tell_wrong(tmp_path, again, by, right):
    """A mail too few is said; one too many as well, unless a process was killed in the midst of a mail."""
    kept = soaked()
    kept["told again"] = again
    kept["counts"]["mailed"] += by
    assert (judged(kept, tmp_path) == []) is right


def test_soak_finds_a_journal_that_is_left(tmp_path):
    """What the ledger has not taken in when the next fault begins is said."""
    kept = soaked()
    for one in kept["samples"]:
        one["waiting"] = 10**6 if 510 <= one["at"] <= 1000 else 0
    assert judged(kept, tmp_path) == ["journals, not folded yet: after each fault"]
