"""The command line ``fleetmind``; importing it loads nothing, `cluster.cli.entry` does the work."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; without arguments, this process's, and end it.

    The console script and ``python -m cluster``.
    """
    exit_code = _execute(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with suppress(OSError):  # a reader that has left
                stream.flush()
        # Taking down the interpreter with its libraries would take another 0.2 s, a third of a run
        # against a resident cluster; every command has closed what it opened.
        os._exit(exit_code)
    return exit_code


def _execute(arguments: Sequence[str]) -> int:
    try:
        # From the first moment on: a SIGTERM is to clean up just as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from cluster.cli.entry import execute

        return execute(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("fleetmind: interrupted\n")
        return 130
