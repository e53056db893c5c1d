"""A channel of one's own: a handler with a destination and one method.

It gets what the others get: batches, retries with backoff, one deliverer at a time over all processes, dead letters.
In a logging.yaml it stands as `class: own_channel.LineHandler`.
"""

import logging

from loghub.errors import DeliveryError
from loghub.handlers.base import OutboxHandler


class LineHandler(OutboxHandler):
    """Appends one line for each bug to a file that somebody tails."""

    def __init__(self, filename="bugs.txt", **rest):
        self.filename = filename
        self.destination = f"line:{filename}"
        super().__init__(**rest)

    def deliver(self, batch):
        try:
            with open(self.filename, "a", encoding="utf-8") as file:
                for item in batch.items:
                    print(f"{item.count} x {item.group.error_type} in {item.group.culprit}", file=file)
        except OSError as error:
            raise DeliveryError(f"{self.filename} cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    handler = LineHandler()
    log = logging.getLogger("shop")
    log.addHandler(handler)
    for number in range(3):
        log.error("order %d could not be shipped", number)
    handler.flush()
    with open(handler.filename, encoding="utf-8") as lines:
        print(lines.read())
