"""The way on which an exception came: one walk of its traceback leads to what is remembered of it.

A code path is what tells two errors apart before anything is read, rendered or hashed: the class, the code objects
and the instruction offsets of an exception and of all that its traceback shows beside it. Objects are known by their
ids, and an id means something only as long as its object lives: every entry watches its objects by weak references
and goes with the first of them that dies, so nothing is kept alive and no id is taken for another's.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from loghub.sighting import Sighting

MAX_PATHS = 2048
"""Code paths remembered in a process; the older half goes when there are more."""

MAX_MEMBERS = 64
"""Members of an ExceptionGroup that are looked at."""

MAX_REACHED = 256
"""Exceptions behind one exception that are looked at."""

_LONG = 512  # longer keys (recursion) are kept as their hash


class CodePath:
    """Stands for all exceptions that came on one way; equal only to itself.

    Attributes:
        head: Ids of class and outermost code object, and the instruction in it; None where that comes again further
            in, so that it could not tell a traceback of which somebody has taken the outer frames away.
        exact: Whether there can be no other way with this key; a long one is known by its hash.
        unsighted: What a record carries of which no more is known than its code path.
    """

    __slots__ = ("exact", "head", "unsighted", "watched")

    def __init__(self, head: tuple[int, int, int] | None, *, exact: bool) -> None:
        self.head = head
        self.exact = exact
        self.unsighted: Sighting | None = None
        self.watched: list[Any] = []

    def leads_to(self, exc: BaseException, tb: TracebackType | None) -> bool:
        """Return whether it is still the way of `exc`, as far as its outer end can tell."""
        head = self.head
        return (
            head is not None
            and tb is not None
            and tb.tb_lasti == head[2]
            and id(tb.tb_frame.f_code) == head[1]
            and id(type(exc)) == head[0]
        )


_known: dict[tuple[int, ...], CodePath] = {}


def of(exc: BaseException, tb: TracebackType | None) -> CodePath:
    """Return the code path of `exc` with all that its traceback shows beside it."""
    key = [id(type(exc))]
    append = key.append
    step = tb
    while step is not None:
        append(id(step.tb_frame.f_code))
        append(step.tb_lasti)
        step = step.tb_next
    if exc.__cause__ is not None or exc.__context__ is not None or isinstance(exc, BaseExceptionGroup):
        _add_others(key, exc)
    whole = tuple(key)
    return _known.get(whole) or _learn(whole, exc, tb)


def of_stack(tb: TracebackType) -> CodePath:
    """Return the code path of a traceback alone, whatever the exception."""
    key: list[int] = []
    for step in steps(tb):
        key += (id(step.tb_frame.f_code), step.tb_lasti)
    whole = tuple(key)
    return _known.get(whole) or _learn(whole, None, tb)


class _Watch(ref[Any]):
    __slots__ = ("cache", "key")

    cache: dict[Any, Any]
    key: Any


def watch(one: Any, cache: dict[Any, Any], key: Any) -> Any:
    """Return what has to be kept, so that `key` leaves `cache` when `one` dies."""
    made = _Watch(one, _forget)
    made.cache = cache
    made.key = key
    return made


def _forget(watch: Any) -> None:
    watch.cache.pop(watch.key, None)


def make_room(cache: dict[Any, Any], limit: int) -> None:
    """Drop the older half of a full cache."""
    if len(cache) >= limit:
        try:
            older = list(itertools.islice(cache, limit // 2))
        except RuntimeError:  # another thread is at it
            return
        for key in older:
            cache.pop(key, None)


def reason(exc: BaseException) -> tuple[str, BaseException | None]:
    """Return what led to `exc`, with the relation that a traceback prints."""
    if exc.__cause__ is not None:
        return "cause", exc.__cause__
    return "context", None if exc.__suppress_context__ else exc.__context__


def reachable(exc: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions that a traceback of `exc` shows beside itself, each once."""
    return (one for _, _, one in _reached(exc))


def _reached(exc: BaseException) -> Iterator[tuple[int, int, BaseException]]:
    """Yield them with what they are to which other one: 1 its cause, 2 its context, 3 a member of it."""
    seen = {id(exc): 0}
    waiting = [exc]
    while waiting and len(seen) < MAX_REACHED:
        one = waiting.pop()
        relation, behind = reason(one)
        near = [] if behind is None else [(1 if relation == "cause" else 2, behind)]
        if isinstance(one, BaseExceptionGroup):
            near += [(3, member) for member in one.exceptions[:MAX_MEMBERS]]
        for link, other in near:
            if id(other) not in seen:
                yield link, seen[id(one)], other
                seen[id(other)] = len(seen)
                waiting.append(other)


def steps(tb: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the steps of a traceback, outermost first."""
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _add_others(key: list[int], exc: BaseException) -> None:
    """Add the causes and members of `exc` to its key."""
    for link, whose, part in _reached(exc):
        key += (-link, -whose, id(type(part)), 0)
        for step in steps(part.__traceback__):
            key += (id(step.tb_frame.f_code), step.tb_lasti)


def _learn(whole: tuple[int, ...], exc: BaseException | None, tb: TracebackType | None) -> CodePath:
    exact = len(whole) <= _LONG
    key = whole if exact else (len(whole), hash(whole), *whole[:16], *whole[-16:])
    path = _known.get(key)
    if path is None:
        make_room(_known, MAX_PATHS)
        path = _known.setdefault(key, CodePath(_head(exc, tb), exact=exact))
        path.watched = [watch(one, _known, key) for one in _objects(exc, tb)]
    return path


def _head(exc: BaseException | None, tb: TracebackType | None) -> tuple[int, int, int] | None:
    places = [(id(step.tb_frame.f_code), step.tb_lasti) for step in steps(tb)]
    return (id(type(exc)), *places[0]) if places and places.count(places[0]) == 1 else None


def _objects(exc: BaseException | None, tb: TracebackType | None) -> list[Any]:
    """Return the objects whose ids make a key."""
    types = [] if exc is None else [type(exc)]
    codes = [step.tb_frame.f_code for step in steps(tb)]
    for part in [] if exc is None else reachable(exc):
        types.append(type(part))
        codes += [step.tb_frame.f_code for step in steps(part.__traceback__)]
    return list({id(one): one for one in (*types, *codes)}.values())
