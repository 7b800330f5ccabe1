"""How a signal ends a command; imported before anything else is, so it imports nothing."""

from __future__ import annotations


class Terminated(KeyboardInterrupt):
    """SIGTERM came: all is ended as after Ctrl-C, and another exit code says so."""
