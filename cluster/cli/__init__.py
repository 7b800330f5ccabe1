"""The command line ``fleetmind``; importing it loads nothing, `cluster.cli.entry` does the work."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; the console script and ``python -m cluster``."""
    try:
        # From the first moment on: a SIGTERM is to clean up just as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from cluster.cli.entry import execute

        return execute(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        sys.stderr.write("fleetmind: interrupted\n")
        return 130
