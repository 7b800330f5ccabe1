"""Where a command writes: the answer to stdout, everything for people to stderr."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import TextIO

from cluster.cli.streams import standard_stderr, standard_stdout

FRAME_PREFIX = "fleetmind-result: "
"""Starts the last line of a ``--framed`` run; the rest of it is JSON."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_DIM, _NOT_DIM = "\33[2m", "\33[22m"
"""To a terminal; a library for this would take a tenth of a second and expand tabs."""


class Console:
    """The two ends a command writes to; tests pass their own.

    Args:
        out: for the answer and nothing else.
        err: for notes, progress and errors.
        is_framed: keep what goes to ``out`` and write it, with the exit code, as one last line:
            the output of a Ray job is one stream, in which the answer must be found again.
    """

    def __init__(self, out: TextIO, err: TextIO, *, is_framed: bool = False) -> None:
        self.err = err
        self._stdout = out
        self._out = io.StringIO() if is_framed else out
        self._has_object = False

    @classmethod
    def standard(cls, *, is_framed: bool = False) -> Console:
        """Return the console of this process; text that can't be encoded never ends a run."""
        # Libraries and argparse write there too.
        sys.stdout, sys.stderr = standard_stdout(), standard_stderr()
        return cls(sys.stdout, sys.stderr, is_framed=is_framed)

    def write(self, text: str, quiet: re.Pattern[str] | None = None) -> None:
        """Write text to stdout at once; a terminal gets no control characters but ours.

        Args:
            text: what is to be written.
            quiet: what of it a terminal shows dim.

        Raises:
            BrokenPipeError: whoever read it has left.
            ClusterError: it can't be written, as on a full disk.
        """
        if self._out.isatty():
            text = printable(text, keep="\n\t")
            if quiet is not None and os.environ.get("TERM") != "dumb":
                text = quiet.sub(f"{_DIM}\\g<0>{_NOT_DIM}", text)
        self._out.write(text)
        self._out.flush()

    def write_object(self, whole: Mapping[str, object]) -> None:
        """Write the object of ``--json`` as one line; there is one a run, and the first counts."""
        if not self._has_object:
            self._has_object = True
            self.write(json.dumps(whole) + "\n")

    def note(self, text: str) -> None:
        """Write one line for people to stderr."""
        self.err.write(f"fleetmind: {printable(text)}\n")
        self.err.flush()

    def close(self, exit_code: int) -> None:
        """Write the frame, where there is one."""
        if isinstance(self._out, io.StringIO) and self._out is not self._stdout:
            frame = {"stdout": self._out.getvalue(), "exit_code": exit_code}
            self._stdout.write(f"\n{FRAME_PREFIX}{json.dumps(frame)}\n")
            self._stdout.flush()

    def abandon_stdout(self) -> None:
        """Have the interpreter's last flush go nowhere: whoever read stdout has left."""
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor is wanted
            os.dup2(nowhere.fileno(), self._stdout.fileno())


def counted(number: int, thing: str) -> str:
    """Return how many things there are, in words: `1 file`, `1,204 files`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def duration_text(seconds: float) -> str:
    """Return about how long that is, in words: `12 s`, `3 min`, `2 h`, `5 d`."""
    for unit_s, unit in _UNITS:
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def printable(text: str, keep: str = "") -> str:
    """Return the text with everything that could steer a terminal made a space."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else " " for char in text)
