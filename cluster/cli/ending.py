"""How SIGINT and SIGTERM end a command, outside of its event loop, which has its own way.

While modules are imported, a signal is only noted: what it raised there could get lost, or be shown
as a traceback. At other times it interrupts. Imported before anything else is, so it imports next
to nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM)
_SIGNALLED = 128
"""What is added to the number of the signal that has ended a command, for its exit code."""
_STDERR = 2

_noted: list[int] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM came: all is ended as after Ctrl-C, and another exit code says so."""


def note_signals() -> None:
    """Note the first signal from now on; a second one ends this process, with nothing cleaned up.

    For where nothing is to be cleaned up, and all that happens ends by itself.
    """
    _noted.clear()
    _handle(_note)


def noted_signal() -> int | None:
    """Return the signal that was noted, once; None where none came."""
    return _noted.pop() if _noted else None


def raise_noted() -> None:
    """Be interrupted by the signal that was noted, if one was.

    Raises:
        Terminated: it is SIGTERM.
        KeyboardInterrupt: it is SIGINT.
    """
    if (number := noted_signal()) is not None:
        _interrupt(number, None)


def let_signals_interrupt() -> None:
    """Have signals interrupt from now on, and one that was noted do so now, as `raise_noted`."""
    _handle(_interrupt)
    raise_noted()


def ignore_signals() -> None:
    """Let nothing disturb what ends the command."""
    _handle(signal.SIG_IGN)


def are_signals_ours() -> bool:
    """Say whether this process is a command, and its signals are handled as is written here."""
    return signal.getsignal(signal.SIGINT) in {_note, _interrupt}


def _handle(handler: signal.Handlers | Callable[[int, FrameType | None], None]) -> None:
    for number in _ENDING:
        signal.signal(number, handler)


def _note(number: int, _frame: FrameType | None) -> None:
    if not _noted:
        _noted.append(number)
        return
    how = "terminated" if number == signal.SIGTERM else "interrupted"
    with suppress(OSError):
        os.write(_STDERR, f"fleetmind: {how}\n".encode())
    os._exit(_SIGNALLED + number)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    ignore_signals()  # a second one must not disturb what ends the command
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
