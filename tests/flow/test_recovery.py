"""A damaged database is noticed by an ordinary log call and restored once, however many processes fail with it."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest
from click.testing import CliRunner

from loghub.cli import main
from loghub.delivery import deliverer
from tests.processes import python, run

SHOP = """
import logging, logging.config, sqlite3, sys, time
import loghub

home, database = sys.argv[1:]
logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "mend": {
            "class": "loghub.RecoveryHandler",
            "home": home,
            "shutdown_timeout": 10,
            "procedures": [{
                "on": "sqlite3.DatabaseError", "run": "loghub.procedures.restore_sqlite", "with": {"path": database},
            }],
        },
    },
    "root": {"handlers": ["mend"]},
})
print("ready", flush=True)
sys.stdin.readline()
until = time.monotonic() + 30
while time.monotonic() < until:
    try:
        with sqlite3.connect(database) as db:
            print(db.execute("SELECT sum(price) FROM orders").fetchone()[0])
        break
    except sqlite3.DatabaseError:
        logging.getLogger("shop").exception("orders cannot be read")
        time.sleep(0.05)
"""


def make(path):
    """Make a sound database with a thousand orders."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY, price INTEGER, what TEXT)")
        db.executemany("INSERT INTO orders VALUES (?, 1, ?)", ((number, "tea" * 50) for number in range(1000)))


@pytest.mark.slow
def test_many_processes(tmp_path, monkeypatch):
    """Four processes fail with a damaged database; one restores it, and all go on with its content."""
    database, home = tmp_path / "shop.db", tmp_path / "home"
    make(database)
    make(f"{database}.backup")
    damaged = bytearray(database.read_bytes())
    damaged[:40_000] = b"\xff" * 40_000
    database.write_bytes(damaged)
    with contextlib.ExitStack() as stack:
        shops = [stack.enter_context(python(SHOP, home, database, seconds=60)) for _ in range(4)]
        for shop in shops:
            assert shop.stdout.readline() == "ready\n"
        for shop in shops:
            shop.stdin.write("go\n")
            shop.stdin.flush()
        for shop in shops:
            out, err = shop.communicate(timeout=60)
            assert (out, shop.returncode) == ("1000\n", 0), err
    assert len([path for path in tmp_path.glob("shop.db.damaged-*") if path.stat().st_size == len(damaged)]) == 1
    with contextlib.closing(sqlite3.connect(database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    monkeypatch.setattr(deliverer, "by_hand", True)
    (group,) = json.loads(ask(home, "groups", "--json"))
    outcomes = [one["outcome"] for one in json.loads(ask(home, "show", group["fingerprint"], "--json"))["recoveries"]]
    assert outcomes.count("recovered") >= 1
    assert "gave up" not in outcomes


@pytest.mark.slow
def test_the_backup_is_damaged_too(tmp_path, monkeypatch):
    """Without a sound backup the database is left as it is, and why is told where people look."""
    database, home = tmp_path / "shop.db", tmp_path / "home"
    database.write_bytes(b"no database at all" * 1000)
    (tmp_path / "shop.db.backup").write_bytes(b"nor is this" * 1000)
    run(SHOP.replace("+ 30", "+ 1"), home, database, seconds=60)
    assert database.read_bytes() == b"no database at all" * 1000
    monkeypatch.setattr(deliverer, "by_hand", True)
    (group,) = json.loads(ask(home, "groups", "--json"))
    shown = ask(home, "show", group["fingerprint"])
    assert "failed in loghub.procedures.restore_sqlite after" in shown
    assert "shop.db.backup" in shown


def ask(home, *words):
    """Return what a verb prints."""
    return CliRunner().invoke(main, ["--home", str(home), *words], catch_exceptions=False).output
