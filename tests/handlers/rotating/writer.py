"""A process that writes a rotating log for `the tests here`: ``writer.py LOG NAME COUNT OPTIONS``.

OPTIONS is JSON: the handler's options, and `length` (of a message), `wait` (for a byte on standard input before
it begins). After every call that returned it writes one byte to standard output: what a killer may rely on.
"""

from __future__ import annotations

import json
import logging
import os
import sys

from loghub.handlers.rotatingfile import RotatingFileHandler


def main() -> None:
    """Log COUNT lines."""
    path, name, count, options = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    length, wait = options.pop("length", 40), options.pop("wait", False)
    handler = RotatingFileHandler(path, **options)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("writer")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    if wait:
        os.write(1, b"!")
        os.read(0, 1)
    for number in range(count):
        logger.info("%s-%d %s.", name, number, "x" * (number % length + length // 2))
        os.write(1, b".")
    logging.shutdown()


if __name__ == "__main__":
    main()
