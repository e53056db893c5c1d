"""The lines of a journal, as `writing` appends and `reading` takes them.

One line is one of::

    {"journal": 1, ...}             the first line: who writes
    {"no": 3, "n": 1, "to": [...], "at": ..., "level": 40, "kept": true, "event": {...}}
                                    an occurrence in full; from here on, 3 stands for its kind, and repeats
                                    of 3 are for the destinations in "to" (and those added since); each
                                    occurrence in full has a number of its own, so that destinations that
                                    are gone are forgotten
    3                               one more of kind 3
    t 1770000000                    what follows happened at this second
    d 3 github:owner/repo           the occurrence before is for this destination too, as are all repeats
    s 3 smtp:host                   the same, but not the repeats (the handler chooses record by record)
    3*17, d 3*17 github:owner/repo  the same of a record that stands for 17 occurrences
    x 17                            17 occurrences could not be written and are not counted
"""

TORN = b"!\n"
"""Ends a line that was written only in part; a line that ends so is not read."""

EVENT = b',"event":'
"""Where a line's event begins, and with it the text that is kept."""

MAX_TIMES = 1000
"""A record stands for no more: who says how many may be a stranger."""
