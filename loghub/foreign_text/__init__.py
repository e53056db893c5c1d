"""The text of a stack of another language, read into the shape of an event's error part.

Such texts come through the process wrapper: what a child wrote before it died. A reader for each family of languages:
Go, Rust, PHP, Ruby, the JVM, .NET, Elixir, C and C++, Perl. Python's own and JavaScript's are read by
`loghub.traceback_text`.

What differs from build to build is left out of functions (hashes, counters of closures and of generated classes,
addresses), and what differs between releases of a language is said in one way. A reader says for each frame whether it
is the application's, by the paths and packages that its language uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loghub.foreign_text import dotnet, golang, jvm, native, others, php, ruby, rust
from loghub.foreign_text.shape import MAX_TEXT, lines_of

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

# Those whose marks say most come first: a C library's words stand in texts of all the others.
_READERS: tuple[tuple[re.Pattern[str], Callable[[list[str]], dict[str, Any] | None]], ...] = (
    (golang.MARK, golang.read),
    (rust.MARK, rust.read),
    (php.MARK, php.read),
    (ruby.MARK, ruby.read),
    (jvm.MARK, jvm.read),
    (dotnet.MARK, dotnet.read),
    (others.BEAM_MARK, others.read_beam),
    (native.MARK, native.read),
    (others.PERL_MARK, others.read_perl),
)


def parse_foreign(text: str) -> dict[str, Any] | None:
    """Read the first stack in `text` that is none of Python's or JavaScript's; None if there is none.

    Text before and after it, colours and what log collectors put before each line do not matter. It never raises,
    and takes time in proportion to the text, of which the first `MAX_TEXT` characters count.

    Returns:
        ``error_type``, ``error_module``, ``error_message``, ``frames`` (outermost first, each with ``file``,
        ``module``, ``function``, ``in_app``, and ``line`` and ``code`` if known), ``causes`` (nearest first),
        ``exceptions`` and ``notes`` (always empty). ``module`` is the package or namespace in Go, on the JVM and
        in .NET; of a Rust frame that is only a place, its crate. ``function`` is ``Class.method`` where the text
        tells a class, and empty where it tells only a place.
    """
    lines = lines_of(text[:MAX_TEXT])
    bare = "\n".join(lines)
    reads = (read(lines) for mark, read in _READERS if mark.search(bare) is not None)
    return next((found for found in reads if found is not None), None)
