"""A log file as lines and where each begins, whatever it is packed in; bounded memory for any content."""

from __future__ import annotations

import bz2
import codecs
import errno
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 20
"""About so many bytes are read at once."""

MAX_LINE = 1 << 20
"""What is beyond that of one line is left out."""

HEAD = 1 << 16
"""So much of the beginning is looked at before the lines are."""

LOOK_BACK = 4 << 20
"""So much of what was read can be looked at again."""

REWIND = 64 << 10
"""So much before the place where a file is read on is read again, to be looked at."""

STDIN = "-"

SIP = 8192
"""Packed bytes that are unpacked at once: where they are damaged, no more than that is lost before the damage."""

_PACKED: tuple[tuple[bytes, str, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", "gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\0", "xz", lzma.LZMAFile),
)
_UNREADABLE = (
    (b"\x28\xb5\x2f\xfd", "is packed by zstd: zstd -dc {name} | loghub import -"),
    (b"PK\x03\x04", "is a zip archive: unpack it, and name the logs in it."),
    (b"SQLite format 3\0", "is a database, and no log."),
)
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_CONTROLS = bytes(sorted({*range(32)} - {*b"\t\n\r\x0b\x0c\x1b\x08\x07"}))


class SourceError(Exception):
    """A file that cannot be read as a log; the message is the sentence that says why, without its name."""


class Source:
    """An open log.

    Args:
        name: A path, or ``-`` for standard input.

    Attributes:
        head: The first bytes of the content, without NULs before them.
        modified: When it was last changed (epoch seconds); None where nothing tells.
        may_grow: Whether somebody may still be writing it.
        trouble: Why it ended before its end; empty if it did not.
        size: Bytes of the file as it lies there; 0 if unknown.

    Raises:
        SourceError: It cannot be read as a log.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.trouble = ""
        self.modified: float | None = None
        self.size = 0
        self._raw = self._open()
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _open(self) -> BinaryIO:
        if self.name == STDIN:
            self.may_grow = False
            return io.BufferedReader(_Unclosed(sys.stdin.buffer), HEAD)
        try:
            told = os.stat(self.name)
            if stat.S_ISDIR(told.st_mode):
                raise SourceError("is a directory: name the files in it.")
            if not (stat.S_ISREG(told.st_mode) or stat.S_ISFIFO(told.st_mode)):
                raise SourceError("is neither a file nor a pipe.")
            raw = open(self.name, "rb", buffering=HEAD)  # noqa: SIM115 - `close` does
        except OSError as error:
            raise SourceError(self._sentence(error)) from error
        self.may_grow = stat.S_ISREG(told.st_mode)
        if self.may_grow:
            self.modified, self.size = told.st_mtime, told.st_size
        return raw

    def _sentence(self, error: OSError) -> str:
        if error.errno == errno.ENOENT:
            if any(sign in self.name for sign in "*?["):
                return "is no file: the pattern fits none."
            return "does not exist."
        if error.errno in (errno.EACCES, errno.EPERM):
            return "may not be read by this user."
        return f"cannot be read: {error.strerror or error}."

    def _begin(self) -> None:
        start = self._peek_raw()
        for mark, words in _UNREADABLE:
            if start.startswith(mark):
                raise SourceError(words.format(name=self.name))
        self._stream: Any = self._raw
        self._packing = ""
        for mark, packing, unpack in _PACKED:
            if start.startswith(mark):
                self._stream, self._packing, self.may_grow = unpack(_Sips(self._raw)), packing, False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._recent: deque[tuple[int, bytes]] = deque()
        self._end = self._position = 0
        self._ahead = self._read()
        self._skip_mark()
        self._skip_nuls()
        while len(self._ahead) < HEAD and (more := self._read()):
            self._ahead += more
        self.head = self._ahead[:HEAD]
        if _is_binary(self.head):
            raise SourceError("is binary, and no log.")

    def _skip_mark(self) -> None:
        """Take a byte order mark off, and do what it says."""
        if self._ahead.startswith(codecs.BOM_UTF8):
            self._position, self._ahead = 3, self._ahead[3:]
        for bom, encoding in _UTF16.items():
            if self._ahead.startswith(bom):
                self._decoder = codecs.getincrementaldecoder(encoding)("replace")
                self._ahead = self._decoder.decode(self._ahead[2:]).encode()
                self._recent = deque([(0, self._ahead)])
                self._end = len(self._ahead)

    def _peek_raw(self) -> bytes:
        try:
            return cast("io.BufferedReader", self._raw).peek(16)[:16]
        except OSError as error:
            raise SourceError(self._sentence(error)) from error

    def _skip_nuls(self) -> None:
        """Skip the hole that copytruncate leaves before what a program writes on."""
        while self._ahead[:1] == b"\0":
            rest = self._ahead.lstrip(b"\0")
            self._position += len(self._ahead) - len(rest)
            self._ahead = rest or self._read()

    def _read(self) -> bytes:
        """Return the next bytes of the content; none at its end, or where it cannot be read on."""
        if self.trouble:
            return b""
        try:
            data: bytes = self._stream.read1(CHUNK) if self._packing else self._raw.read1(CHUNK)  # type: ignore[attr-defined]
        except EOFError:
            self.trouble = f"ends within its {self._packing}: what could be unpacked was read"
            return b""
        except (OSError, zlib.error, lzma.LZMAError) as error:
            what = f"is damaged within its {self._packing}" if self._packing else "cannot be read on"
            said = getattr(error, "strerror", None) or error
            self.trouble = f"{what} ({said}): what came before was read"
            return b""
        if self._decoder is not None:
            text = self._decoder.decode(data, final=not data)
            if data and not text:
                return self._read()
            data = text.encode()
        self._recent.append((self._end, data))
        self._end += len(data)
        while self._end - self._recent[0][0] > LOOK_BACK + CHUNK:
            self._recent.popleft()
        return data

    def before(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes that stand before `position`, which must not lie further back than `LOOK_BACK`."""
        parts = [data[max(position - size - at, 0) : max(position - at, 0)] for at, data in self._recent]
        return b"".join(parts)

    def progress(self) -> int:
        """Return how many bytes of the file as it lies there were read."""
        return self._raw.tell() if self.size else 0

    @property
    def position(self) -> int:
        """Where `lines` will begin."""
        return self._position

    def skip(self, position: int) -> bool:
        """Have `lines` begin at `position`; False where the content ends before it."""
        plain = not self._packing and self._decoder is None and self.size
        if plain and self._end + REWIND < position <= self.size:
            self._position = self._end = position - REWIND
            self._raw.seek(self._position)
            self._ahead = b""
            self._recent.clear()
        while self._position < position:
            data = self._ahead or self._read()
            if not data:
                return False
            taken = min(len(data), position - self._position)
            self._ahead = data[taken:]
            self._position += taken
        return True

    def lines(self) -> Iterator[tuple[int, list[bytes], bool]]:
        """Yield where a run of lines begins, and the lines without their ends.

        The third is whether they all had one: False only for the last line of the content, alone. What is beyond
        `MAX_LINE` of a line is left out.
        """
        begin, partial, dropped = self._position, self._ahead, 0
        self._ahead = b""
        while True:
            end = partial.rfind(b"\n")
            if end >= 0:
                lines = partial[:end].split(b"\n")
                if dropped:  # the end of a long line, whose beginning was given
                    dropped = 0
                    begin += len(lines[0]) + 1
                    lines = lines[1:]
                if lines:
                    yield begin, lines, True
                begin += sum(map(len, lines)) + len(lines)
                partial = partial[end + 1 :]
            if partial[:1] == b"\0":
                begin += len(partial) - len(partial.lstrip(b"\0"))
                partial = partial.lstrip(b"\0")
            if dropped:
                begin += len(partial)
                partial = b""
            elif len(partial) > MAX_LINE:
                yield begin, [partial[:MAX_LINE]], True
                begin += len(partial)
                partial, dropped = b"", 1
            data = self._read()
            if not data:
                break
            partial += data
        if partial:
            yield begin, [partial], False

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()


class _Unclosed(io.RawIOBase):
    """Standard input, which others may want after us."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Sips:
    """A packed file that is read a little at a time."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def read(self, size: int = -1) -> bytes:
        return self._raw.read(min(size, SIP) if size >= 0 else SIP)


def _is_binary(head: bytes) -> bool:
    """Return whether more than a twentieth of the beginning is what no text has."""
    sample = head[:8192]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls * 20 > len(sample)
