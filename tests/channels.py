"""Channels of the tests' own: small real handlers whose destination is a list, or a file for many processes."""

from __future__ import annotations

import os
import time

from loghub.handlers.base import OutboxHandler


class Told(OutboxHandler):
    """Tells a list. `on_deliver` comes first and may do anything; `chooses` stands for `ready`."""

    def __init__(self, destination="list:told", **rest) -> None:
        self.destination = destination
        self.told = []
        self.batches = []
        self.on_deliver = lambda batch: None
        self.chooses = None
        super().__init__(**rest)

    def ready(self, waiting, now, *, closing):
        due = super().ready(waiting, now, closing=closing)
        return self.chooses(due, closing) if self.chooses else due

    def deliver(self, batch):
        self.batches.append(batch)
        self.on_deliver(batch)
        self.told += [(item.event["error_type"], item.count) for item in batch.items if item in batch.unsettled]

    @property
    def count(self) -> int:
        """Occurrences told in all."""
        return sum(count for _, count in self.told)


class FileHandler(OutboxHandler):
    """Appends ``fingerprint count pid`` to a file, item by item.

    Args:
        filename: The file, which is the destination.
        hang: While a file of this name exists, delivery hangs.
        chat: Log to new loggers while delivering, as network libraries do.
        rest: As OutboxHandler.
    """

    def __init__(self, filename, *, hang=None, chat=False, **rest) -> None:
        self.destination = f"file:{filename}"
        self.filename = filename
        self.hang = hang
        self.chat = chat
        super().__init__(**rest)

    def deliver(self, batch):
        while self.hang and os.path.exists(self.hang):
            self._say_something()
            time.sleep(0.01)
        for item in batch.items:
            batch.renew()
            self._say_something()
            with open(self.filename, "a", encoding="utf-8") as file:
                file.write(f"{item.group.fingerprint} {item.count} {os.getpid()}\n")
            batch.done(item)

    def _say_something(self):
        if self.chat:
            import logging
            import uuid

            logging.getLogger(f"chat.{uuid.uuid4()}").error("this is not an error of the application")


def told(filename) -> dict[str, int]:
    """Return how many occurrences of each group a FileHandler's file was told of."""
    counts: dict[str, int] = {}
    try:
        with open(filename, encoding="utf-8") as file:
            for line in file:
                fingerprint, count, _ = line.split()
                counts[fingerprint] = counts.get(fingerprint, 0) + int(count)
    except FileNotFoundError:
        pass
    return counts


def tellers(filename) -> set[int]:
    """Return which processes told."""
    with open(filename, encoding="utf-8") as file:
        return {int(line.split()[2]) for line in file}
