"""Clients that ask a web server for errors, from several threads, whatever becomes of it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading

from tests.servers.bugs import NAMES


class Storm:
    """Clients of one port; use as a context manager. Who gets no answer asks on."""

    def __init__(self, port, clients=4, path="/{}"):
        self.port = port
        self.path = path
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(clients)]

    def _work(self, first):
        for number in itertools.count(first):
            if self._ended.is_set():
                return
            self.ask(NAMES[number % len(NAMES)])

    def ask(self, bug):
        """Ask once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", self.path.format(bug))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 500
        except (OSError, http.client.HTTPException):
            self._ended.wait(0.02)  # nobody is there, or somebody was killed
        finally:
            with contextlib.suppress(OSError):
                connection.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()
