"""How many repeats a second the background thread takes from a journal into the ledger, on one core.

    python benchmarks/fold.py [--repeats 1000000] [--bugs 5]

Reading and the ledger's transactions count, in slices as the thread takes them while the application runs (without
its rests in between), and in large ones as `loghub drain` does.
"""

import argparse
import itertools
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loghub.capture import Capture
from loghub.delivery import folding
from loghub.journal.reading import Reader
from loghub.journal.writing import Journal
from loghub.ledger.sqlite import SQLiteLedger


def record_of(number):
    """Return a record of a bug of its own."""
    return logging.LogRecord("shop", logging.ERROR, "shop.py", number, f"order {'x' * number} failed", None, None)


def written(folder, bugs, repeats):
    """Write the journal of a process that met so many bugs so often; return it."""
    one, capture = Journal(folder, "cafe"), Capture()
    for number in range(bugs):
        record = record_of(number)
        one.note(record, capture.sight(record), "github:acme/shop", selective=False)
    numbers = itertools.cycle(b"%d\n" % (1 + number) for number in range(bugs))
    # A second has 30,000 of them, which is about what a process can log.
    for second in range(repeats // 30_000 + 1):
        lines = itertools.islice(numbers, min(30_000, repeats - second * 30_000))
        os.write(one.fd, b"t %d\n%s" % (1_770_000_000 + second, b"".join(lines)))
    return one


def fold(one, path, about):
    """Fold a journal into a new ledger; return its count and the seconds of processor time that took."""
    ledger, reader = SQLiteLedger(path), Reader(one.name, one.fd)
    started = time.process_time()
    while (stretch := reader.read(about=about)) is not None:
        ledger.fold(stretch)
    took = time.process_time() - started
    count = sum(group.count for group in ledger.groups())
    ledger.close()
    return count, took


def main():
    """Print a line for slices and one for large stretches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1_000_000)
    parser.add_argument("--bugs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one = written(os.path.join(folder, "journal"), args.bugs, args.repeats)
        for name, about in (("slices", folding.SLICE_BYTES), ("large", Reader.CHUNK)):
            count, took = fold(one, os.path.join(folder, f"{name}.db"), about)
            if count != args.repeats + args.bugs:
                raise SystemExit(f"{args.repeats + args.bugs:,} written, {count:,} counted")
            print(f"{name:7} {count:,} occurrences in {took:.2f} s of one core: {count / took:,.0f} a second")


if __name__ == "__main__":
    main()
