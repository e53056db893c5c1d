"""Code that fails in every shape that a traceback has, each place once."""

import json


class Card:
    """Has a method that fails in two ways."""

    def charge(self, amount):
        if amount < 0:
            raise ValueError(f"cannot charge {amount}")
        return {}["balance"]


class RefusedError(Exception):
    """One of the application's own."""


def in_a_method():
    """Raise on purpose, within a class."""
    Card().charge(-5)


def from_a_cause():
    """Raise from another, with a message of several lines."""
    try:
        Card().charge(5)
    except KeyError as error:
        raise RefusedError("no balance\n\nThe card has none, see the manual") from error


def in_an_except():
    """Fail while another error is handled."""
    try:
        json.loads("{")
    except ValueError:
        list[int]()[3]


def thrice():
    """Raise from an error that came of another."""
    try:
        in_an_except()
    except IndexError as error:
        raise RuntimeError("gone wrong") from error


def in_a_group():
    """Raise a group with a chain and a group in it."""
    errors = []
    for site in (in_a_method, from_a_cause):
        try:
            site()
        except Exception as error:
            errors.append(error)
    raise ExceptionGroup("two failed", [*errors, ExceptionGroup("inner", [OSError(28, "No space left on device")])])


def with_notes():
    """Raise an error that has a note of two lines."""
    error = LookupError("nothing here")
    error.add_note("asked for: 17\nby: ada")
    raise error


def in_a_broken_file():
    """Fail at the syntax of a file."""
    compile("total = = 3\n", "prices.py", "exec")


def without_end():
    """Call itself."""
    return without_end()


def without_words():
    """Raise an error without a message."""
    raise RefusedError


def in_a_library():
    """Call what fails in a library."""
    json.loads("[1,")


SITES = (
    in_a_method, from_a_cause, in_an_except, thrice, in_a_group, with_notes, in_a_broken_file, without_end,
    without_words, in_a_library,
)  # fmt: skip
