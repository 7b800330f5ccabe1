"""A command's stdout and stderr: what the first does not take is an error, of the second it is not.

For `cluster.cli.console`. Python's own streams keep what could not be written and try it again at
the end, and take every failure for one of the program: a reader of stderr that has left would end a
run whose answer stdout still takes.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from cluster.kernel.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined,unused-ignore]  # from 3.12 on

_STDOUT, _STDERR = 1, 2


def standard_stdout() -> TextIO:
    """Return the process's stdout, which raises ClusterError where it can't be written to.

    A reader that has left is a BrokenPipeError, as ever. Where the process was started without it,
    something that can't be written to has its descriptor (see `cluster.cli`).
    """
    return _standard(sys.stdout, _Stdout(_STDOUT))


def standard_stderr() -> TextIO:
    """Return the process's stderr, which takes everything as long as stdout has a reader."""
    return _standard(sys.stderr, _Stderr(_STDERR))


class _Descriptor(io.RawIOBase):
    """Writes all it is given to a descriptor, also to one that somebody has made non-blocking."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def write(self, data: Buffer, /) -> int:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._number, left) :]
            except BlockingIOError:
                # Whoever shares a terminal or a pipe with us can set that for all.
                select.select([], [self._number], [])
        return len(memoryview(data))


class _Stdout(_Descriptor):
    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            is_closed = error.errno == errno.EBADF
            reason = "it is closed" if is_closed else os.strerror(error.errno or 0)
            raise ClusterError(f"stdout can't be written to: {reason}") from error


class _Stderr(_Descriptor):
    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # As with `2>&1 | head`: then there is nobody left to do anything for.
            if isinstance(error, BrokenPipeError) and not _has_reader(_STDOUT):
                raise
            return len(memoryview(data))


def _has_reader(number: int) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return not any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _standard(stream: TextIO | None, raw: _Descriptor) -> TextIO:
    """Return a stream for people on a descriptor, unless a test has put another in its place."""
    try:
        is_other = stream is not None and stream.fileno() != raw.fileno()
    except OSError:
        is_other = True
    if is_other and stream is not None:
        return stream
    # Nothing is kept back: `_Descriptor` writes all or fails, and fails once.
    return io.TextIOWrapper(
        cast("BinaryIO", raw),  # it does without a buffer, as with `python -u`
        encoding="utf-8",
        errors="replace",
        write_through=True,
    )
