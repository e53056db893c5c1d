"""A connection to a PostgreSQL server that may go away, and that a fork must not share.

There is one for a process, made when it is needed and made anew after an error. Each transaction brings its settings
along, so that it does not matter which connection of a pooler's (pgbouncer in transaction mode) it comes to: nothing is
prepared, no lock outlasts it. They go to the server together with the first statement.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import math
import os
import re
import time
from typing import TYPE_CHECKING, Any

from loghub import descriptor
from loghub.errors import LedgerError, MissingExtraError
from loghub.event import storable
from loghub.ledger import postgres_schema
from loghub.ledger.database import OneAtATime, batched
from loghub.ledger.dialect import filled, of_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import psycopg

    from loghub.ledger.address import Address

    Literal = Callable[[Any], bytes]

OLDEST_SERVER = 130000
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 15
LOCK_SECONDS = 5

FORK_SECONDS = 0.1
"""The longest that a fork waits for a thread that asks the server something."""

CLOCK_SECONDS = 60.0
"""How often the server is asked what time it is."""

SAME_SECONDS = 1.0
"""Clocks that are no further apart are taken for the same."""

# A server that went away without a word is missed after so long: (environment's name, libpq's, value).
_DEFAULTS: tuple[tuple[str, str, Any], ...] = (
    ("PGCONNECT_TIMEOUT", "connect_timeout", CONNECT_SECONDS),
    ("PGAPPNAME", "application_name", "loghub"),
    ("", "keepalives_idle", 10),
    ("", "keepalives_interval", 5),
    ("", "keepalives_count", 3),
    ("", "tcp_user_timeout", 15_000),
)

MOST_CHARS = 500
_IS_IT_RUNNING = re.compile(r"\s*Is the server running[^?]*\?")

_SHARED_TROUBLE = {"40001", "40P01", "23503"}  # serialization, deadlock, a group that was deleted meanwhile
_OF_THE_SCHEMA = {"42", "3F", "22"}  # something is not there, or not what it was

_USUAL = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
    "connect_timeout",
    "passfile",
    "service",
)

_RIGHTS = (
    "Its user needs USAGE on the schema, SELECT, INSERT, UPDATE and DELETE on its tables, and CREATE on the database as"
    " long as the schema is not there."
)
_HINTS = (
    ("42501", _RIGHTS),
    ("does not exist", "Create it, or correct the address."),
    ("25006", "Is this a standby? Add target_session_attrs=read-write to the address, with all hosts."),
    ("57014", f"It took longer than {STATEMENT_SECONDS} seconds."),
    ("password authentication", "Correct user and password, in the address or by PGUSER, PGPASSWORD or a passfile."),
    ("no password supplied", "Give one in the address, by PGPASSWORD or in a passfile."),
)  # fmt: skip


class UndoneError(LedgerError):
    """A transaction was undone in favour of another, or the connection was lost: it can be tried again at once."""


class _Transaction:
    """Statements of one transaction, in PostgreSQL's words; the first takes along what begins it."""

    def __init__(self, server: Server, preface: str) -> None:
        self._server = server
        self._preface = preface
        self._waiting: list[bytes] = []
        self._connection = 0  # which of the server's it is

    def execute(self, query: str, values: Sequence[Any] = (), /) -> psycopg.Cursor[Any]:
        return self._run(lambda literal: filled(query, values, literal))

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> _Changed:
        changed = 0
        for some in batched(list(rows)):
            changed += self._run(functools.partial(of_many, query, some)).rowcount
        return _Changed(changed)

    def later(self, query: str, values: Sequence[Any] = (), /) -> None:
        self._waiting.append(filled(query, values, self._server.literal))

    def later_many(self, query: str, rows: Iterable[Sequence[Any]], /) -> None:
        self._waiting += [of_many(query, some, self._server.literal) for some in batched(list(rows))]

    def _run(self, statement: Callable[[Literal], bytes]) -> psycopg.Cursor[Any]:
        before = b"".join(one + b"; " for one in self._waiting)
        self._waiting.clear()
        if not self._preface:
            result = self._same().execute(before + statement(self._server.literal))
        else:
            result = self._server.begin(self._preface.encode() + before, statement)
            self._preface, self._connection = "", self._server.connections
        while result.nextset():
            pass
        return result

    def commit(self) -> None:
        """End it, if it has begun; what waits goes along, so that its locks are held for no way to and fro."""
        if self._preface and self._waiting:
            self._run(lambda _: b"SELECT 1")  # what begins a transaction may be sent twice: no COMMIT may
        if not self._preface:
            self._run(lambda _: b"COMMIT")

    def _same(self) -> psycopg.Connection[Any]:
        """Return the connection that it has begun on: on another one each statement would be for itself."""
        connection = self._server.connection
        if self._server.connections != self._connection:
            raise UndoneError(f"The connection to the ledger {self._server.where} was lost: ask again.")
        return connection


class _Changed:
    """How many of many rows were changed."""

    def __init__(self, rowcount: int) -> None:
        self.rowcount = rowcount

    def fetchone(self) -> None:
        pass

    def fetchall(self) -> list[Any]:
        return []


class Server(OneAtATime):
    """The server at an address, with the ledger's tables in a schema of it.

    Nothing is asked of it before the first call; after `close` and after errors the next call connects anew.

    Args:
        address: Where it is.
        now: This host's clock, which may be wrong.

    Raises:
        MissingExtraError: psycopg is not installed.
    """

    def __init__(self, address: Address, *, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        require_driver()
        self.address = address
        self._host_time = now
        self._opened: psycopg.Connection[Any] | None = None
        self._socket: tuple[int, descriptor.Identity] = (-1, (0, 0))
        self._writer: Any = None
        self._pid = 0
        self.connections = 0  # how many there were
        self._id = ""
        self._ahead = 0.0
        self._asked_at = -math.inf
        self._between = 0.0  # this host's clock and the one that nobody sets, when it was asked
        self._settings = (
            f'SET LOCAL search_path TO "{address.schema}", pg_temp; SET LOCAL extra_float_digits TO 1;'
            f" SET LOCAL statement_timeout TO '{STATEMENT_SECONDS}s';"
            f" SET LOCAL lock_timeout TO '{LOCK_SECONDS}s';"
            f" SET LOCAL idle_in_transaction_session_timeout TO '{2 * STATEMENT_SECONDS}s'; "
        )

    @property
    def where(self) -> str:
        """Return the address without its password."""
        return self.address.shown

    @property
    def id(self) -> str:
        """A name of this ledger that no other has."""
        with self._lock, self._explained():
            _ = self.connection
            return self._id

    @property
    def ahead(self) -> float:
        """By how many seconds this host's clock is ahead of the server's; 0.0 where they agree."""
        with self._lock, self._explained():
            connection = self.connection
            was_set = abs(self._host_time() - time.monotonic() - self._between) > SAME_SECONDS
            if was_set or time.monotonic() - self._asked_at > CLOCK_SECONDS:
                self._ask_time(connection)
            return self._ahead

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The connection of this process; the caller has the lock."""
        if self._opened is not None and (self._pid != os.getpid() or not descriptor.is_still(*self._socket)):
            descriptor.abandon(self._opened)  # a parent's, or its socket was closed under us
            self._opened = None
        if self._opened is None or self._opened.closed:
            self._opened = self._connect()
        return self._opened

    def _connect(self) -> psycopg.Connection[Any]:
        driver = _driver()
        connection: psycopg.Connection[Any]
        with self._explained(LedgerError):
            connection = driver.connect(**self._parameters(driver), autocommit=True, prepare_threshold=None)
        try:
            connection.adapters.register_loader("numeric", driver.types.numeric.IntLoader)  # sums of whole numbers
            self._writer = driver.adapt.Transformer(connection)
            self._opened, self._pid = connection, os.getpid()
            self._socket = connection.fileno(), descriptor.identity(connection.fileno())
            self.connections += 1
            self._check(connection)
            self._prepare()
        except BaseException:
            self._opened = None
            connection.close()
            raise
        return connection

    def _parameters(self, driver: Any) -> dict[str, Any]:
        """Return what libpq is given: what the address and the environment do not say has defaults of ours."""
        try:
            given = driver.conninfo.conninfo_to_dict(self.address.url)
        except driver.Error:  # whose words hold parts of the address
            raise LedgerError(
                f"The address of the ledger {self.where} has a parameter that libpq does not know, or a value of the"
                f" wrong form: it takes schema and {', '.join(_USUAL)}, among others."
            ) from None
        ours = {name: value for variable, name, value in _DEFAULTS if variable not in os.environ}
        return {**ours, **given, "client_encoding": "UTF8"}

    def _check(self, connection: psycopg.Connection[Any]) -> None:
        ((version, encoding),) = connection.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')"
        ).fetchall()
        if version < OLDEST_SERVER:
            raise LedgerError(
                f"The server of the ledger {self.where} is PostgreSQL {version // 10_000}: it must be"
                f" {OLDEST_SERVER // 10_000} or newer."
            )
        if encoding != "UTF8":
            raise LedgerError(
                f"The database of the ledger {self.where} has the encoding {encoding}: make one with ENCODING 'UTF8'."
            )
        self._ask_time(connection)

    def _ask_time(self, connection: psycopg.Connection[Any]) -> None:
        before = self._host_time()
        ((now,),) = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchall()
        after = self._host_time()
        ahead = (before + after) / 2 - now
        self._ahead = 0.0 if abs(ahead) <= max(SAME_SECONDS, after - before) else float(round(ahead))
        self._asked_at = time.monotonic()
        self._between = after - self._asked_at

    def _prepare(self) -> None:
        """Make the tables, if they are not there or not of today."""
        name = self.address.schema
        with self._transaction() as db:
            found = postgres_schema.version(db, name)
            if found > postgres_schema.VERSION:
                raise LedgerError(
                    f"The ledger {self.where} was written by a newer loghub (schema {found}, this one knows "
                    f"{postgres_schema.VERSION}): upgrade loghub-handlers, or give another schema."
                )
            if found < postgres_schema.VERSION:
                postgres_schema.create(db, name)
            ((self._id,),) = db.execute("SELECT value FROM meta WHERE key = 'id'").fetchall()

    def literal(self, value: Any) -> bytes:
        """Return a value as it is written in a statement."""
        if type(value) is int and value >= 0:  # as most are
            return b"%d" % value
        return bytes(self._writer.as_literal(storable(value) if isinstance(value, str) else value))

    def begin(self, preface: bytes, statement: Callable[[Literal], bytes]) -> psycopg.Cursor[Any]:
        """Send the first statement of a transaction, once more where the connection was lost since the last one."""
        connection = self.connection
        before = self.connections
        try:
            return connection.execute(preface + statement(self.literal))
        except _driver().OperationalError:
            if not connection.closed or self.connections > before:
                raise
        return self.connection.execute(preface + statement(self.literal))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[_Transaction]:
        with self._lock, self._explained():
            db = _Transaction(self, f"BEGIN ISOLATION LEVEL READ COMMITTED; {self._settings}")
            try:
                yield db
                db.commit()
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        opened = self._opened
        if opened is None or opened.closed or self._pid != os.getpid():
            return
        try:
            opened.execute("ROLLBACK")
        except Exception:  # whatever it is in the midst of, the next call has a connection of its own
            self.close()

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock, self._explained():
            return _Transaction(self, self._settings).execute(query, values).fetchall()

    @contextlib.contextmanager
    def _explained(self, kind: type[LedgerError] | None = None) -> Iterator[None]:
        """Say psycopg's errors as LedgerError, or as UndoneError if it may help to try again at once."""
        driver = _driver()
        try:
            yield
        except driver.Error as error:
            state = error.sqlstate or ""
            said = error.diag.message_primary or _IS_IT_RUNNING.sub("", str(error)) or type(error).__name__
            lost = self._opened is None or self._opened.closed
            if not lost and state[:2] in _OF_THE_SCHEMA:
                self.close()  # the next connection looks at the tables anew
            kind = kind or (UndoneError if lost or state in _SHARED_TROUBLE else LedgerError)
            text = self.address.hide(" ".join(said.split()))[:MOST_CHARS].rstrip(".")
            raise kind(f"The ledger {self.where} cannot be used now: {text}.{_hint(state, said)}") from None

    def close(self) -> None:
        """Let go of the connection; the next call makes another."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is None:
                return
            if self._pid != os.getpid() or not descriptor.is_still(*self._socket):
                descriptor.abandon(opened)
            else:
                opened.close()

    def hold(self, seconds: float) -> bool:
        """Before a fork: close, and keep every thread out until `resume`; False if that took too long.

        That is soon: a thread may wait for the server for long, and a child can do without.
        """
        return super().hold(min(seconds, FORK_SECONDS))

    def _before_fork(self) -> None:
        self.close()


def require_driver() -> None:
    """See that psycopg is installed, without loading it.

    Raises:
        MissingExtraError: It is not.
    """
    if importlib.util.find_spec("psycopg") is None:
        raise MissingExtraError(
            "A ledger in PostgreSQL needs psycopg, which is not installed: pip install 'loghub-handlers[postgres]'."
        )


def _driver() -> Any:
    try:
        import psycopg
        import psycopg.adapt
        import psycopg.types.numeric
    except ImportError as error:
        raise LedgerError(
            f"psycopg cannot be loaded ({error.msg.splitlines()[0]}): pip install 'loghub-handlers[postgres]'."
        ) from error
    return psycopg


def _hint(state: str, said: str) -> str:
    """Return what to do about an error, where that can be said; of a connection's errors there are only words."""
    for sign, what in _HINTS:
        if sign in (state, state[:2]) or sign in said:
            return f" {what}"
    return ""
