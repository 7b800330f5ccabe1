"""The command line ``fleetmind``; importing it loads nothing, `cluster.cli.entry` does the work."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from cluster.cli.ending import Terminated, ignore_signals, note_signals
from cluster.import_path import leave_working_directory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; without arguments, this process's, and end it.

    The console script and ``python -m cluster``.
    """
    if arguments is not None:
        return _execute(arguments)
    note_signals()  # from the first moment on: SIGTERM is to clean up as Ctrl-C does
    leave_working_directory()
    _occupy_closed_streams()
    exit_code = _execute(sys.argv[1:])
    ignore_signals()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError):  # a reader that has left
            stream.flush()
    # Taking down the interpreter with its libraries would take another 0.2 s, a third of a run
    # against a resident cluster; every command has closed what it opened.
    os._exit(exit_code)


def _occupy_closed_streams() -> None:
    """Keep the descriptors of standard streams that this process was started without.

    The next file or socket that is opened would get the number, and our output with it. What is
    written to one of them fails as if it were still closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # gets the lowest number that is free: this one


def _execute(arguments: Sequence[str]) -> int:
    try:
        from cluster.cli.entry import execute

        return execute(arguments)
    except KeyboardInterrupt as signalled:
        return _ended(signalled)
    except RuntimeError as error:
        # Python 3.11 wraps so what is raised while it makes a class, as in a module being imported.
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        return _ended(error.__cause__)


def _ended(signalled: KeyboardInterrupt) -> int:
    is_terminated = isinstance(signalled, Terminated)
    if sys.stderr is not None:  # as in a process that was started without it
        with suppress(OSError):
            sys.stderr.write(f"fleetmind: {'terminated' if is_terminated else 'interrupted'}\n")
            sys.stderr.flush()
    return 143 if is_terminated else 130
