r"""A terminal between a child and the real one, so that the child finds a terminal where it writes.

Only output goes through it: stdin and the controlling terminal stay the real ones. Three things keep the difference
from showing:

- Bytes. The child's terminal has the modes of the real one and makes ``\r\n`` of ``\n``, as the real one will again.
  Every ``\n`` that comes out has got exactly one ``\r``, so taking that one off gives the child's own bytes.
- Modes. A child that changes modes where it writes (curses does) means the real terminal. In packet mode, and with
  EXTPROC, Linux tells of each change (ioctl_tty(2), TIOCPKT_IOCTL); the real terminal is then changed in the same way.
- Size. It is taken over when the real one changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import termios
from typing import Any

from loghub.supervise.ends import Ends

_PACKET = 1 << 12  # what Linux has ready at once
_BATCH = 1 << 14
_EXTPROC = 0o200000  # not named in termios before 3.13
_IOCTL = 0x40  # TIOCPKT_IOCTL, never named there
_IFLAG, _OFLAG, _LFLAG, _CC = 0, 1, 3, 6
_RETURN_MS = 1  # how long a \n may be on its way after its \r
_WINSIZE = bytes(8)
_OWN_RETURN = re.compile(rb"\r(?!\n)")


class Terminal(Ends):
    """A pseudo-terminal that stands for a real one.

    Args:
        real: The descriptor of the real terminal.

    Raises:
        OSError: There is no pseudo-terminal to be had.
    """

    def __init__(self, real: int) -> None:
        super().__init__(*os.openpty())
        self._real = real
        try:
            self._found = _modes(real)
            modes = _modes(real)
            modes[_OFLAG] &= termios.OPOST | termios.ONLCR  # what can be taken back; the real one does the rest
            self._set(modes)
            fcntl.ioctl(self.source, termios.TIOCPKT, struct.pack("i", 1))
            os.set_blocking(self.source, False)
            self._modes = _modes(self.source)
        except termios.error as error:
            self.close()
            raise OSError(*error.args) from error
        self._changed = self._flushed = False
        self._before = 0  # bytes that were written before the change that is to be made
        self._window = _WINSIZE
        self.resize()

    def read(self) -> bytes | None:
        """Return the child's bytes, empty if there was only a change of modes; None when nobody writes any more.

        It is as much as comes without waiting: Linux hands out 4 KB at most at a time.
        """
        packet = self._packet()
        if not packet:
            return packet
        packets, size, returns = [packet], len(packet), self._returns
        while True:
            is_cut = returns and packet.endswith(b"\r")
            if not is_cut and (size >= _BATCH or self._is_due):
                break
            packet = self._packet()
            if not packet and is_cut and not self._is_due and _readable(self.source, _RETURN_MS):
                packet = self._packet()
            if not packet:
                break
            packets.append(packet)
            size += len(packet)
        data = b"".join(packets)
        if not returns:
            return data
        # The first way is three times as fast, and right where there is no return of the child's own.
        return data.replace(b"\r\n", b"\n") if _OWN_RETURN.search(data) else data.replace(b"\r", b"")

    def settle(self) -> None:
        """Make the child's change of modes to the real terminal, once what it wrote before was passed on."""
        if self._before > 0 or not self._is_due:
            return
        with contextlib.suppress(termios.error):  # hung up, or another session's by now
            if self._flushed:
                termios.tcflush(self._real, termios.TCIFLUSH)
            if self._changed:
                self._mirror()
        self._changed = self._flushed = False

    def resize(self) -> bool:
        """Take the real terminal's size over; return whether it was another one."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed by now
            window = fcntl.ioctl(self._real, termios.TIOCGWINSZ, _WINSIZE)
            if window != self._window:
                self._window = window
                fcntl.ioctl(self.source, termios.TIOCSWINSZ, window)
                return True
        return False

    def restore(self) -> None:
        """Give the real terminal the modes that it had, unless another job has it by now."""
        with contextlib.suppress(termios.error, OSError):
            if os.tcgetpgrp(self._real) == os.getpgrp() and _modes(self._real) != self._found:
                termios.tcsetattr(self._real, termios.TCSADRAIN, self._found)

    @property
    def _is_due(self) -> bool:
        """Whether something is to be done to the real terminal once what came before was passed on."""
        return self._changed or self._flushed

    @property
    def _returns(self) -> bool:
        return _adds_returns(self._modes)

    def _note(self, event: int) -> None:
        """Remember what packet mode tells.

        A change is made at once: returns that were added to what is still to be read are right for a terminal that adds
        none from now on. One that will add some must not do so to what was written before.
        """
        self._changed = self._changed or bool(event & _IOCTL)
        self._flushed = self._flushed or bool(event & termios.TIOCPKT_FLUSHREAD)
        with contextlib.suppress(termios.error):
            will = _adds_returns(termios.tcgetattr(self.source))
            self._before = _waiting(self.source) if will and not self._returns else 0

    def _packet(self) -> bytes | None:
        """Return what the child wrote; empty if there is nothing, or something else is told; None at the end."""
        try:
            packet = os.read(self.source, _PACKET)
        except BlockingIOError:
            return b""
        except OSError:  # EIO: no child has it open
            return None
        if not packet:
            return None
        if packet[0] != termios.TIOCPKT_DATA:
            self._note(packet[0])
            return b""
        self._before -= len(packet) - 1
        return packet[1:]

    def _set(self, modes: list[Any]) -> None:
        modes[_LFLAG] |= _EXTPROC
        termios.tcsetattr(self.source, termios.TCSANOW, modes)

    def _mirror(self) -> None:
        """Change in the real terminal what has changed in the child's."""
        old, new = self._modes, _modes(self.source)
        real = _modes(self._real)
        for place in (_IFLAG, _OFLAG, _LFLAG):
            changed = old[place] ^ new[place]
            if place == _LFLAG:
                changed &= ~_EXTPROC
            real[place] = real[place] & ~changed | new[place] & changed
        real[_CC] = [now if now != before else kept
                     for before, now, kept in zip(old[_CC], new[_CC], real[_CC], strict=True)]  # fmt: skip
        self._modes = new
        if not new[_LFLAG] & _EXTPROC:  # `stty sane` takes it away
            self._set(list(new))
        termios.tcsetattr(self._real, termios.TCSANOW, real)


def _modes(fd: int) -> list[Any]:
    """Return a terminal's modes; control characters as bytes, whatever the mode."""
    modes: list[Any] = termios.tcgetattr(fd)
    modes[_CC] = [bytes([char]) if isinstance(char, int) else char for char in modes[_CC]]
    return modes


def _adds_returns(modes: list[Any]) -> bool:
    both = termios.OPOST | termios.ONLCR
    return bool(modes[_OFLAG] & both == both)


def _waiting(fd: int) -> int:
    """Return how many bytes can be read at once."""
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, struct.pack("i", 0)))[0])


def _readable(fd: int, milliseconds: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(milliseconds))
