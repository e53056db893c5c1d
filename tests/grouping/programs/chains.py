"""A depot: causes, databases, files, sockets and modules that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.grouping.programs.table import Table, case

if TYPE_CHECKING:
    from tests.grouping.stage import Case

DRIVER = """\
class DatabaseError(Exception):
    pass

class OperationalError(DatabaseError):
    pass

class ProgrammingError(DatabaseError):
    pass

class Cursor:
    def execute(self, sql, args=()):
        self._raise(sql)

    def _raise(self, answer):
        kind, _, text = answer.partition(" ")
        if kind == "mysql":
            number, _, text = text.partition(" ")
            raise OperationalError(int(number), text)
        raise ProgrammingError(text)
"""

DEPOT = {
    "lib:dbdriver": DRIVER,
    "depot": "",
    "depot.db": '''\
import sqlite3
import dbdriver

SCHEMA = """
create table customers (id integer primary key, mail text unique, name text not null);
insert into customers values (1, 'a@example.org', 'A');
create table parcels (number text unique, weight integer check (weight > 0));
insert into parcels values ('P1', 5);
"""

def connect():
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    return connection

def run(sql, args=()):
    return connect().execute(sql, args).fetchall()

def send(sql):
    return dbdriver.Cursor().execute(sql)
''',
    "depot.store": """\
from depot import db

class StoreError(Exception):
    pass

class Unavailable(Exception):
    pass

def count(table):
    return db.run(f"select count(*) from {table}")

def search(name):
    return db.run(f"select * from customers where name = '{name}'")

def add_customer(mail, name):
    db.run("insert into customers (mail, name) values (?, ?)", (mail, name))

def add_parcel(number, weight):
    db.run("insert into parcels values (?, ?)", (number, weight))

def locked(path):
    import sqlite3
    one = sqlite3.connect(path, timeout=0)
    one.execute("create table if not exists t (a)")
    one.execute("begin immediate")
    two = sqlite3.connect(path, timeout=0)
    two.execute("begin immediate")

def save(what, value):
    try:
        if what == "table":
            db.run(f"select * from {value}")
        elif what == "number":
            int(value)
        elif what == "key":
            {}[value]
        else:
            open(value)
    except Exception as error:
        raise StoreError(f"could not save {value}") from error

def save_quietly(key):
    try:
        {}[key]
    except KeyError:
        raise StoreError(f"could not save {key}") from None

def clean_up(key):
    try:
        {}[key]
    except KeyError as error:
        return error.message

def close(path):
    try:
        open(path)
    except OSError:
        return {}["fallback"]

def wrap_twice(value):
    try:
        save("number", value)
    except StoreError as error:
        raise Unavailable(f"store is away since {value}") from error

def remote(answer):
    try:
        db.send(answer)
    except Exception as error:
        raise Unavailable("database is away") from error

def direct(answer):
    return db.send(answer)
""",
    "depot.files": """\
import os
import socket
import importlib
import subprocess

def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()

def remove(path):
    os.remove(path)

def remove_folder(path):
    os.rmdir(path)

def fill(text):
    with open("/dev/full", "w") as file:
        file.write(text)

def rotate(folder, number):
    os.rename(f"{folder}/app.log", f"{folder}/app.log.{number}")

def loop(folder, name):
    os.symlink(name, f"{folder}/{name}")
    return read(f"{folder}/{name}")

def refused():
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    return socket.create_connection(("127.0.0.1", port), timeout=2)

def silent(seconds):
    here, there = socket.socketpair()
    here.settimeout(seconds)
    return here.recv(10)

def hung_up(data):
    here, there = socket.socketpair()
    there.close()
    here.sendall(data)

def resolve(host, port):
    return socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)

def plugin(name):
    return importlib.import_module(name)

def member(line):
    namespace = {}
    exec(line, namespace)

def command(*words):
    subprocess.run(words, check=True, capture_output=True)

def patient(seconds):
    subprocess.run(["sleep", "3"], timeout=seconds)

def backup(target):
    command("sh", "-c", f"exit 3 # {target}")

def restore(target):
    command("sh", "-c", f"exit 3 # {target}")
""",
}

MISSING = {
    "house": "",
    "house.main": "from house import mail\n\ndef start():\n    return mail\n",
    "house.mail": "import redis_of_tomorrow\n",
    "house.queue": "import kafka_of_tomorrow\n",
    "house.both": """\
def load(name):
    if name == "mail":
        import house.mail
    else:
        import house.queue

def names():
    from house.tools import missing_one

def other_names():
    from house.tools import missing_other
""",
    "house.tools": "present = 1\n",
}


def cases() -> list[Case]:
    """Return the cases of the depot."""
    table = Table(DEPOT, 2)
    _databases(table)
    _causes(table)
    _files(table)
    missing = Table(MISSING, 1)
    missing.bug(
        "the mail module misses redis",
        "house.main:start",
        case("on import"),
        case("another release", shift=2),
        case("imported late", "mail", call="house.both:load"),
    )
    missing.bug(
        "the queue module misses kafka", "house.both:load", case("late", "queue"), case("again", "queue", shift=1)
    )
    missing.bug(
        "tools lack one name", "house.both:names", case("1"), case("2", shift=2), case("stderr", style="stderr")
    )
    missing.bug(
        "tools lack another", "house.both:other_names", case("1"), case("2", shift=2), case("3", style="stderr")
    )
    return [*table.cases, *missing.cases]


def _databases(table: Table) -> None:
    table.bug(
        "no table of orders",
        "depot.store:count",
        case("1", "orders"),
        case("2", "orders", via="flask"),
        case("through a queue", "orders", style="queue", shift=2),
    )
    table.bug("no table of bills", "depot.store:count", case("1", "bills"), case("2", "bills", via="celery"))
    table.bug(
        "name is not quoted",
        "depot.store:search",
        case("one name", "O'Brien"),
        case("another name", "D'Arcy", via="flask"),
        case("a third", "L'Oréal 17", shift=3),
    )
    table.bug(
        "mail is there already",
        "depot.store:add_customer",
        case("1", "a@example.org", "B"),
        case("2", "a@example.org", "C", shift=1),
    )
    table.bug(
        "customer without name", "depot.store:add_customer", case("1", "x@x.org", None), case("2", "y@y.org", None)
    )
    table.bug("parcel is there already", "depot.store:add_parcel", case("1", "P1", 3), case("2", "P1", 4, shift=2))
    table.bug("parcel weighs nothing", "depot.store:add_parcel", case("1", "P2", 0), case("2", "P3", -4, via="django"))
    table.bug("type SQL cannot hold", "depot.store:add_parcel", case("1", [], 0), case("2", ["P3"], -4))
    table.bug(
        "database is locked", "depot.store:locked", case("1", "file:a?mode=memory"), case("2", "/tmp/grouping-lock.db")
    )
    table.cases.pop(-2)  # two connections in memory do not lock each other
    table.bug(
        "relation orders is missing at the server",
        "depot.store:direct",
        case("1", 'pg [42P01] relation "orders" does not exist'),
        case("2", 'pg [42P01] relation "orders" does not exist', shift=2),
    )
    table.bug(
        "relation bills is missing at the server",
        "depot.store:direct",
        case("1", 'pg [42P01] relation "bills" does not exist'),
        case("2", 'pg [42P01] relation "bills" does not exist', via="flask"),
    )
    table.bug(
        "duplicate key at the server",
        "depot.store:direct",
        case("1", 'pg [23505] duplicate key value violates unique constraint "orders_pkey": Key (id)=(17) exists'),
        case("2", 'pg [23505] duplicate key value violates unique constraint "orders_pkey": Key (id)=(4711) exists'),
    )
    table.bug(
        "access denied by MySQL",
        "depot.store:direct",
        case("1", "mysql 1045 Access denied for user 'app'@'10.0.0.7' (using password: YES)"),
        case("2", "mysql 1045 Access denied for user 'app'@'172.17.0.3' (using password: YES)", via="django"),
    )
    table.bug(
        "MySQL is not there",
        "depot.store:direct",
        case("1", "mysql 2003 Can't connect to MySQL server on 'db-1.example:3306' (111)"),
        case("2", "mysql 2003 Can't connect to MySQL server on 'db-2.example:3307' (111)", shift=4),
    )
    table.bug(
        "MySQL went away, wrapped",
        "depot.store:remote",
        case("1", "mysql 2006 MySQL server has gone away"),
        case("2", "mysql 2006 MySQL server has gone away", via="celery"),
    )
    table.bug(
        "MySQL deadlock, wrapped",
        "depot.store:remote",
        case("1", "mysql 1213 Deadlock found when trying to get lock; try restarting transaction"),
        case("2", "mysql 1213 Deadlock found when trying to get lock; try restarting transaction", shift=3),
    )


def _causes(table: Table) -> None:
    table.bug(
        "save: no table", "depot.store:save", case("1", "table", "parts"), case("2", "table", "parts", via="flask")
    )
    table.bug(
        "save: no number",
        "depot.store:save",
        case("1", "number", "x"),
        case("2", "number", "1,5", shift=3),
        case("as text", "number", "7 kg", style="stderr"),
        case("through a queue", "number", "8 kg", style="queue elsewhere"),
    )
    table.bug(
        "save: no key",
        "depot.store:save",
        case("1", "key", "x"),
        case("2", "key", 17, via="celery"),
        case("as text", "key", 18, style="stderr"),
    )
    table.bug("save: no file", "depot.store:save", case("1", "file", "/data/a.csv"), case("2", "file", "/mnt/b/c.csv"))
    table.bug("save: folder", "depot.store:save", case("1", "file", "/"), case("2", "file", "/usr"))
    table.bug("save, from None", "depot.store:save_quietly", case("1", "a"), case("2", 5, shift=2))
    table.bug("clean_up fails in its except", "depot.store:clean_up", case("1", "a"), case("2", 77, via="django"))
    table.bug("close has no fallback", "depot.store:close", case("1", "/data/a"), case("2", "/data/b/17", shift=1))
    table.bug("store is away", "depot.store:wrap_twice", case("1", "x"), case("2", "2026-11-01", style="queue"))


def _files(table: Table) -> None:
    table.bug(
        "file is missing",
        "depot.files:read",
        case("1", "/srv/data/in/20261101.csv"),
        case("a temp folder", "/tmp/tmpz81_kq2/in.csv", via="celery"),
        case("text", "/home/deploy/in (copy).csv", style="stderr"),
        case("Windows' way", "C:\\data\\in.csv", shift=2),
    )
    table.bug("file is a folder", "depot.files:read", case("1", "/usr"), case("2", "/var", shift=1))
    table.bug("folder is a file", "depot.files:read", case("1", "/dev/null/a"), case("2", "/etc/passwd/b", via="flask"))
    table.bug("name is too long", "depot.files:read", case("1", "/tmp/" + "n" * 300), case("2", "/tmp/" + "m" * 310))
    table.bug("name has a zero byte", "depot.files:read", case("1", "/data/a\0b"), case("2", "/data/17\0"))
    table.bug("file is no text", "depot.files:read", case("1", "/bin/ls"), case("2", "/bin/cat"))
    table.bug("removed already", "depot.files:remove", case("1", "/data/17"), case("2", "/data/18.lock", via="thread"))
    table.bug("removing a folder", "depot.files:remove", case("1", "/usr"), case("2", "/var/lib"))
    table.bug("folder is not empty", "depot.files:remove_folder", case("1", "/usr"), case("2", "/var", via="executor"))
    table.bug(
        "disk is full", "depot.files:fill", case("1", "a"), case("2", "b" * 50, shift=2), case("3", "c", style="queue")
    )
    table.bug("nothing to rotate", "depot.files:rotate", case("1", "/data/log", 3), case("2", "/data/17/log", 9))
    table.bug(
        "connection refused",
        "depot.files:refused",
        case("a port"),
        case("another port", via="django"),
        case("a third", shift=2),
        case("text", style="stderr"),
    )
    table.bug("peer is silent", "depot.files:silent", case("1", 0.01), case("2", 0.02, via="celery"))
    table.bug("peer hung up", "depot.files:hung_up", case("1", b"a"), case("2", b"b" * 9, shift=1))
    table.bug(
        "host is unknown", "depot.files:resolve", case("1", "db-7.internal", 5432), case("2", "db-8.internal", 80)
    )
    table.bug("service is unknown", "depot.files:resolve", case("1", "127.0.0.1", "gopherx"), case("2", "::1", "nix17"))
    table.bug(
        "plugin redis is missing",
        "depot.files:plugin",
        case("1", "redis_of_tomorrow"),
        case("2", "redis_of_tomorrow", via="flask"),
        case("text", "redis_of_tomorrow", style="stderr"),
    )
    table.bug(
        "plugin kafka is missing",
        "depot.files:plugin",
        case("1", "kafka_of_tomorrow"),
        case("2", "kafka_of_tomorrow", via="flask"),
        case("text", "kafka_of_tomorrow", style="stderr"),
    )
    table.bug(
        "json lacks a name", "depot.files:member", case("1", "from json import lod"), case("2", "from json import lod")
    )
    table.bug(
        "csv lacks a name", "depot.files:member", case("1", "from csv import lod"), case("2", "from csv import lod")
    )
    table.bug(
        "backup fails",
        "depot.files:backup",
        case("1", "/data/17"),
        case("2", "/mnt/nas-3/20261101", shift=3),
    )
    table.bug("sleep takes too long", "depot.files:patient", case("1", 0.01), case("2", 0.02, via="executor"))
