"""How many mails a storm makes, and what a logging call costs meanwhile, beside the standard library's handler.

    python benchmarks/mails.py [--seconds 60] [--errors 10000] [--bugs 20] [--processes 1]

A real mail server (aiosmtpd) runs in this process; the errors arrive evenly over the time, in processes of their own,
which then end. Once the server answers, once it accepts connections and says nothing.
"""

import argparse
import json
import logging
import logging.config
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
BASES = (ValueError, KeyError, TypeError, LookupError, RuntimeError)


def calls(log, errors, seconds, bugs):
    """Log `errors` errors of `bugs` bugs evenly over `seconds`; return the duration of each call in milliseconds."""
    kinds = [type(f"Bug{number}Error", (BASES[number % len(BASES)],), {}) for number in range(bugs)]
    took = []
    start = time.perf_counter()
    for number in range(errors):
        ahead = start + seconds * number / errors - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        try:
            raise kinds[number % bugs]("out of tea")
        except Exception:
            before = time.perf_counter()
            log.exception("order %d", number)
            took.append((time.perf_counter() - before) * 1000)
    return sorted(took)


def contender(args):
    """Run one contender in this process and print its figures as JSON."""
    cls = "loghub.BatchingSMTPHandler" if args.contender == "loghub" else "logging.handlers.SMTPHandler"
    mail = {
        "class": cls,
        "mailhost": ["127.0.0.1", args.port],
        "fromaddr": "shop@example.com",
        "toaddrs": ["team@example.com"],
        "subject": "{component}: {errors} errors, {occurrences} occurrences" if args.contender == "loghub" else "x",
        "timeout": 5.0,
    }
    if args.contender == "loghub":
        mail["home"] = args.folder
    loggers = {"shop": {"handlers": ["mail"], "propagate": False}}
    logging.config.dictConfig({
        "version": 1, "disable_existing_loggers": False, "handlers": {"mail": mail}, "loggers": loggers,
    })  # fmt: skip
    logging.raiseExceptions = False
    took = calls(logging.getLogger("shop"), args.errors, args.seconds, args.bugs)
    print(json.dumps({"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)], "max": took[-1]}))


def measure(name, args, port, errors):
    """Run the processes of one contender against a port; return their worst figures, and how long their ends took."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--contender", name, "--port", str(port), "--folder", folder,
                   "--errors", str(errors // args.processes), "--seconds", str(args.seconds),
                   "--bugs", str(args.bugs)]  # fmt: skip
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        started = time.perf_counter()
        running = [
            subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for _ in range(args.processes)
        ]
        figures = [json.loads(one.communicate()[0]) for one in running]
        over = time.perf_counter() - started - args.seconds
    return {key: max(one[key] for one in figures) for key in figures[0]} | {"over": over}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--errors", type=int, default=10_000)
    parser.add_argument("--bugs", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contender:
        contender(args)
        return
    from tests.fakes.smtp import FakeSMTP

    print("| handler | server | p50 ms | p99 ms | longest ms | beyond the time, s | mails | errors told |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in ("loghub", "stdlib"):
        with FakeSMTP() as server:
            found = measure(name, args, server.port, args.errors)
            told = [re.search(r"(\d+) occurrences", str(mail.message["Subject"])) for mail in server.mails]
            row(name, "answers", found, len(told), sum(int(one[1]) if one else 1 for one in told))
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as silent:
        port = silent.getsockname()[1]
        row("loghub", "says nothing", measure("loghub", args, port, args.errors), 0, 0)


def row(name, server, found, mails, told):
    """Print one line of the table."""
    times = " | ".join(f"{found[key]:.3f}" for key in ("p50", "p99", "max"))
    print(f"| {name} | {server} | {times} | {found['over']:.1f} | {mails:,} | {told:,} |", flush=True)


if __name__ == "__main__":
    main()
