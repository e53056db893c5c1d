"""Which test shows that which promise holds under which fault; `docs/faults.md` is made of that.

A test says it by ``@pytest.mark.shows(fault, promise, ...)``. ``python -m tests.faults`` (`make faults`) runs these
tests, and writes the page if all of them have passed.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faults.md"

PROMISES = {
    "nothing lost": "What a logging call returned from is counted, and told in the end; what a bound cuts is counted.",
    "nothing twice": "It is counted once. GitHub shows it once; a mail that has to go again has the Message-ID it had.",
    "application unharmed": "No call of the application's raises because of it, or waits for it.",
    "bounded": "Memory, disk, requests, issues, mails and notices stay within their bounds.",
    "no secret": "No secret stands in what is sent, kept, printed or said.",
    "ends in time": "`flush`, `close`, `dictConfig`, a delivery and the end of a process take a bounded time.",
    "said": "It is said in a sentence, in loghub's log, in the outbox, or where the answer is awaited.",
}

GITHUB = {
    "github away": "GitHub is away: nobody listens, or nobody whose certificate can be trusted",
    "github refuses": "GitHub refuses (4xx): token, permission, repository, content",
    "github fails": "GitHub fails (5xx)",
    "github limits": "GitHub limits the rate, primary or secondary",
    "github hangs": "GitHub takes the connection, and does not answer",
    "github cut off": "GitHub's answer is lost, cut off, endless, or a proxy's",
}
MAIL = {
    "mail away": "The mail server is away",
    "mail refuses": "The mail server refuses for good (5xx)",
    "mail puts off": "The mail server puts off (4xx), all or some recipients",
    "mail hangs": "The mail server hangs, or trickles",
    "mail cut off": "The mail server breaks off, talks nonsense, or its last answer is lost",
}
CHANNEL = {"channel fails": "A channel's service fails or hangs"}
DISK = {
    "disk full": "The disk is full, for a while or from the beginning",
    "home not writable": "The home cannot be written: read-only, somebody else's, impossible",
    "ledger locked": "Somebody keeps the ledger locked",
    "ledger damaged": "The ledger is damaged",
    "journal damaged": "A journal is damaged, or ends in half a line",
}
FLEET = {
    "database away": "The database of a fleet is away: killed, restarted, read-only, or nobody may in",
    "database hangs": "The database takes the connection, and answers nothing",
    "database cut off": "The connection to the database is lost, before or after the end of a transaction",
    "host cut off": "A host of a fleet is killed, or cut off in the midst of a delivery",
}
PROCESS = {
    "killed": "A process is killed (SIGKILL) at any moment",
    "out of memory": "The kernel kills for want of memory",
    "forked": "A process forks at any moment",
    "interpreter ends": "The interpreter ends, and something logs to the last",
    "clock wrong": "The clock is wrong, or set back",
    "many processes": "Many processes share a home, a log file, a repository",
}
INPUT = {
    "storm": "A storm: thousands of errors of one bug, or of as many bugs",
    "hostile input": "Errors that are made to do harm: huge, deep, endless, live in Markdown or in headers, silent",
    "secrets": "Secrets in errors: in messages, locals, contexts, addresses, commands",
}
GROUPS = {
    "GitHub": GITHUB,
    "Mail": MAIL,
    "Channels": CHANNEL,
    "Disk": DISK,
    "Fleets": FLEET,
    "Processes": PROCESS,
    "What is logged": INPUT,
}
FAULTS = {fault: title for group in GROUPS.values() for fault, title in group.items()}

_JOURNAL_ONLY = "The application's thread speaks to no destination; the hardest case for it is one that hangs."
_AT_ONCE = "The answer is there at once; the hardest case is a destination that hangs."
_SCRUBBED_BEFORE = "An event is scrubbed before its first byte is written, whatever happens then (see: secrets)."
_SIGKILL = "The kernel's kill is a SIGKILL like any other (see: killed)."
_ONLY_READERS = "Only the delivery thread and readers look at it; the application's thread does not."
_JOURNAL_ONLY_DB = "The application's thread writes the journal, and speaks to no database (see: database away)."
_NO_TROUBLE = "It is no trouble that anybody would have to know of."
_COUNTED_ONCE = "What a record says does not matter for how often it is counted (see: many processes, storm)."

# Cells that need no test of their own: faults, promises, why.
REASONS = [
    ([*GITHUB, *MAIL], ["application unharmed"], _JOURNAL_ONLY),
    ([*GITHUB, *MAIL], ["ends in time"], _AT_ONCE),
    (["github refuses"], ["bounded"], "What is refused is a dead letter, or rests as where GitHub fails."),
    ([*DISK, *PROCESS, "storm", "database cut off", "host cut off"], ["no secret"], _SCRUBBED_BEFORE),
    (["database hangs"], ["no secret"], "What is said of it is said as of one that is away (see: database away)."),
    (["database hangs", "database cut off", "host cut off"], ["application unharmed"], _JOURNAL_ONLY_DB),
    ([*FLEET], ["bounded"], "What waits stands in journals, whose bound is that of a full disk's (see: disk full)."),
    (["database hangs"], ["nothing lost", "nothing twice", "said"], "It is one that is away (see: database away)."),
    (["database away", "database cut off"], ["ends in time"], "The hardest case is one that answers nothing."),
    (["database cut off", "host cut off"], ["said"], "Another does it, or does it again: nobody has to know."),
    (["host cut off"], ["ends in time"], "Each process ends for itself (see: interpreter ends)."),
    (["home not writable"], ["bounded"], "What is held in memory has the bounds of a full disk's (see: disk full)."),
    (["ledger locked", "ledger damaged", "journal damaged"], ["application unharmed"], _ONLY_READERS),
    (["out of memory"], ["nothing twice", "application unharmed", "ends in time"], _SIGKILL),
    (["forked", "many processes", "interpreter ends"], ["said"], _NO_TROUBLE),
    (["interpreter ends"], ["bounded"], "No thread starts any more, and what is logged takes the way it always takes."),
    (["clock wrong"], ["application unharmed"], "The application's thread waits for no time."),
    (
        ["clock wrong"],
        ["ends in time"],
        "How long somebody waits is measured by a clock that nobody sets.",
    ),
    (["many processes"], ["ends in time"], "Each ends for itself (see: interpreter ends, ledger locked)."),
    (["storm"], ["ends in time"], "Its end is one of a process or of a flush like any other (see: github hangs)."),
    (["hostile input", "secrets"], ["nothing twice"], _COUNTED_ONCE),
    (["secrets"], ["said"], "The placeholder in its place says that something was there."),
]


class Shown(NamedTuple):
    """A test that shows something."""

    path: str
    name: str
    says: str


def marked(path: Path) -> list[tuple[Shown, str, list[str]]]:
    """Return a file's tests with each fault and the promises that they show.

    Raises:
        ValueError: A marker stands where it is not read, or is not of literal texts.
    """
    source = path.read_text("utf-8")
    if "mark.shows(" not in source:
        return []
    tree = ast.parse(source)
    found = []
    for node in tree.body:
        for mark in getattr(node, "decorator_list", ()):
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.shows":
                fault, *promises = (ast.literal_eval(one) for one in mark.args)
                says = (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")
                found.append((Shown(path.relative_to(ROOT).as_posix(), node.name, says), fault, promises))
    if len(found) != sum(isinstance(node, ast.Attribute) and node.attr == "shows" for node in ast.walk(tree)):
        raise ValueError(f"{path}: `shows` stands before test functions of a module, and nowhere else")
    return found


def matrix() -> dict[tuple[str, str], list[Shown]]:
    """Return the tests of each cell that has any.

    Raises:
        ValueError: A marker names what there is not.
    """
    cells = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test, fault, promises in marked(path):
            for promise in promises:
                if fault not in FAULTS or promise not in PROMISES:
                    raise ValueError(f"{test.path}: {test.name} shows {fault!r}, {promise!r}: see tests/faults.py")
                cells[fault, promise].append(test)
    return dict(cells)


def reason(fault: str, promise: str) -> str | None:
    """Return why a cell needs no test of its own."""
    return next((why for faults, promises, why in REASONS if fault in faults and promise in promises), None)


def anchor(title: str) -> str:
    """Return what GitHub makes of a heading."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def cell(tests: list[Shown] | None) -> str:
    """Return what the table says: the number of tests, or that there is a reason."""
    return "·" if not tests else f"{len(tests)} test{'s' if len(tests) > 1 else ''}"


def details(fault: str, cells: dict[tuple[str, str], list[Shown]]) -> list[str]:
    """Return the lines about one fault."""
    lines = [f"### {FAULTS[fault]}", ""]
    for promise in PROMISES:
        tests = cells.get((fault, promise))
        lines.append(f"- **{promise}**" + ("" if tests else f": {reason(fault, promise)}"))
        lines += [f"  - {one.says} (`{one.name}` in `{one.path}`)" for one in tests or ()]
    return [*lines, ""]


def page() -> str:
    """Return the page."""
    cells = matrix()
    lines = [
        "# Faults and promises",
        "",
        "What holds when something fails, and which tests show it. `make faults` runs these tests, and writes this",
        "page if all of them pass; a test fails when the page is not what the tests say. The table counts tests, and",
        "has a dot where there is a reason why no test of its own is needed; both stand below.",
        "",
        *(f"- **{promise}**: {meaning}" for promise, meaning in PROMISES.items()),
        "",
        f"| fault | {' | '.join(PROMISES)} |",
        f"| --- {'| --- ' * len(PROMISES)}|",
    ]
    for fault, title in FAULTS.items():
        row = " | ".join(cell(cells.get((fault, promise))) for promise in PROMISES)
        lines.append(f"| [{title}](#{anchor(title)}) | {row} |")
    for group, faults in GROUPS.items():
        lines += ["", f"## {group}", ""]
        for fault in faults:
            lines += details(fault, cells)
        lines.pop()
    return "\n".join([*lines, ""])


class Results:
    """What became of each test, whatever number of cases it has."""

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a case."""
        if report.when == "call" or report.outcome != "passed":
            path, _, name = report.nodeid.partition("::")
            self.outcomes[path, name.partition("[")[0]].add(report.outcome)


def main() -> int:
    """Run the tests, and write the page; return the exit code."""
    tests = sorted({(one.path, one.name) for tests in matrix().values() for one in tests})
    results = Results()
    code = pytest.main(["-q", *(f"{path}::{name}" for path, name in tests)], plugins=[results])
    wrong = [f"{path}::{name}" for path, name in tests if results.outcomes[path, name] != {"passed"}]
    if code or wrong:
        print("The page stays as it is. These did not all pass:", *wrong, sep="\n  ")
        return 1
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
