"""Run one target by atheris, guided by what of loghub it reaches: ``python -m tests.fuzz.run TARGET --seconds N``.

It goes on after a finding. Each kind is printed once, its input is kept in ``FOLDER/TARGET/findings``, and the exit
code is 1 if there was any; ``--replay FILE`` runs one input. The corpus stays in ``FOLDER/TARGET/corpus``.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
import traceback
from pathlib import Path

SLOW_SECONDS = 1.0
"""An input that takes longer is a finding: none is larger than `MAX_BYTES`."""

HANG_SECONDS = 20
MAX_BYTES = 2048


def main() -> int:
    """Run a target in a process of its own, as atheris does not return; then say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=["capture", "fingerprint", "scrub", "traceback"])
    parser.add_argument("--seconds", type=int, default=60, help="how long (60)")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="where corpus and findings are (.fuzz)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run this one input, without atheris")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.replay is not None:
        from tests.fuzz.targets import TARGETS

        TARGETS[given.target](given.replay.read_bytes())
        return 0
    place = given.folder / given.target
    findings, corpus = place / "findings", place / "corpus"
    if given.child:
        _fuzz(given.target, given.seconds, corpus, findings)
    findings.mkdir(parents=True, exist_ok=True)
    corpus.mkdir(exist_ok=True)
    before = set(findings.iterdir())
    command = [sys.executable, "-m", "tests.fuzz.run", *sys.argv[1:], "--child"]
    code = subprocess.run(command, check=False).returncode
    found = sorted(set(findings.iterdir()) - before)
    print(f"{given.target}: {len(found)} new findings{', the process ended with ' + str(code) if code else ''}.")
    for path in found:
        print(f"  python -m tests.fuzz.run {given.target} --replay {path}")
    return 1 if found or code else 0


def _fuzz(target: str, seconds: int, corpus: Path, findings: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["loghub"]):
        from tests.fuzz.targets import TARGETS, seeds

    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    check = _kept(TARGETS[target], findings)
    options = [
        f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-timeout={HANG_SECONDS}", "-rss_limit_mb=2048",
        f"-artifact_prefix={findings}/", "-print_final_stats=1", "-len_control=0",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], check)
    atheris.Fuzz()


def _kept(check, findings):
    """Return `check` with its findings kept, each kind once, instead of ending the run."""
    known = set()

    def run(data):
        started = time.process_time()
        try:
            check(data)
        except Exception as error:
            _keep(data, _kind_of(error), "".join(traceback.format_exception(error)))
        took = time.process_time() - started
        if took > SLOW_SECONDS:
            _keep(data, "slow", f"took {took:.1f} s\n")

    def _keep(data, kind, text):
        if kind in known:
            return
        known.add(kind)
        path = findings / f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        print(f"\nFINDING {path}\n{text[-4000:]}", flush=True)

    return run


def _kind_of(error: BaseException) -> str:
    """Name a finding by its place, so that one fault is one finding."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    said = str(error.args[0][0]) if error.args and isinstance(error.args[0], tuple) and error.args[0] else ""
    return f"{type(error).__name__}-{Path(last.filename).stem}-{last.lineno}{'-' + said if said else ''}"


if __name__ == "__main__":
    sys.exit(main())
