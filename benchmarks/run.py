"""How fast a command's output passes through `loghub run`, and how much later it begins, beside the bare command.

    python benchmarks/run.py [--rounds 7] [--only pipes,files] [--quick] [--json FILE] [--markdown]

A command writes 100 MB to stdout and 100 MB to stderr (a tenth to a terminal), in blocks of 64 KB; whoever started it
reads it and throws it away. What is measured is the time from the command's first write to the end of both streams and
of what was started. What the start costs is a row of its own, and counts only there.
"""

import os
import select
import subprocess
import sys
import tempfile
import time

import rounds

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BLOCK = 1 << 16
MEGABYTES = 100
FLOOD = (
    "import os, sys, time\n"
    "open(sys.argv[2], 'w').write(str(time.perf_counter()))\n"
    f"block, count = (b'x' * 79 + b'\\n') * {BLOCK // 80}, int(sys.argv[1])\n"
    "for fd in (1, 2):\n"
    "    if not os.fork():\n"
    "        for _ in range(count):\n"
    "            rest = memoryview(block)\n"
    "            while rest: rest = rest[os.write(fd, rest):]\n"
    "        os._exit(0)\n"
    "os.wait(), os.wait()"
)
CASES = {
    "pipes": "both to pipes",
    "files": "both to files",
    "one pipe": "2>&1 to a pipe",
    "terminal": "both to a terminal",
    "start": "`true`, beside `python -c pass`",
}


def measured(name, megabytes):
    """Return the seconds of one case, bare (or the peer) and through loghub."""
    case, _, way = name.partition("|")
    with tempfile.NamedTemporaryFile("w+") as note, tempfile.TemporaryDirectory() as home:
        through = [sys.executable, "-m", "loghub", "run", "--home", home, "--"] if way == "through" else []
        if case == "start":
            argv = [*through, "true"] if through else [sys.executable, "-c", "pass"]
        else:
            count = megabytes * 1_000_000 // BLOCK // (10 if case == "terminal" else 1)
            argv = [*through, sys.executable, "-S", "-E", "-c", FLOOD, str(count), note.name]
        note.write(str(time.perf_counter()))
        note.flush()
        if case in WITHOUT_PIPES:
            WITHOUT_PIPES[case](argv)
        else:
            to_pipes(argv, one=case == "one pipe")
        ended = time.perf_counter()
        note.seek(0)
        return {"seconds": ended - float(note.read())}


def to_pipes(argv, *, one):
    """Run a command on one pipe or two, and read them to the end."""
    err = subprocess.STDOUT if one else subprocess.PIPE
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=err, env=environment()) as process:
        files = [file for file in (process.stdout, process.stderr) if file]
        while files:
            for file in select.select(files, [], [])[0]:
                if not os.read(file.fileno(), 1 << 20):
                    files.remove(file)


def to_files(argv):
    """Run a command on two files."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        subprocess.run(argv, stdout=out, stderr=err, env=environment(), check=True)


def to_terminal(argv):
    """Run a command on a terminal, and read what it shows."""
    master, slave = os.openpty()
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=environment())
    os.close(slave)
    try:
        while os.read(master, 1 << 16):
            pass
    except OSError:  # nobody has it open any more
        process.wait()
    os.close(master)


WITHOUT_PIPES = {"files": to_files, "terminal": to_terminal}


def environment():
    """Return the environment, with loghub in reach."""
    return os.environ | {"PYTHONPATH": ROOT}


def main():
    """Measure, and print the tables."""
    args = rounds.arguments(__doc__, 7)
    cases = rounds.chosen(args, CASES)
    megabytes = 10 if args.quick else MEGABYTES
    names = [f"{case}|{way}" for case in cases for way in ("bare", "through")]
    found = rounds.interleaved(names, args.rounds, lambda name: measured(name, megabytes))
    rows, goals = [], []
    for case in cases:
        speeds = rounds.ratios(found, f"{case}|bare", f"{case}|through", "seconds")
        times = [
            rounds.median(rounds.figures(found, f"{case}|{way}", "seconds"), "{:.3f} s") for way in ("bare", "through")
        ]
        rows.append([CASES[case], *times, rounds.spread(speeds) + " x"])
        if case != "start":
            goals.append(rounds.Goal(f"speed, {CASES[case]}", speeds, 0.5, form="{:.2f}", at_least=True))
    head = ["case", "bare", "through loghub run", "speed, of the bare command's"]
    rounds.report(args, [(head, rows)], goals, found)


if __name__ == "__main__":
    main()
