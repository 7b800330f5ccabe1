"""``fleetmind learn --watch``: reads again what changes, until somebody ends it.

Called by `cluster.cli.learn` after the first reading. The store may be gone for a while: nothing is
lost by that, since the files are all compared when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import NoReturn

from cluster.cli.console import Console, counted
from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.knowledge.learning import Learned
from cluster.memory.knowledge.omissions import left_out_line

RETRY_S_MIN = 1.0
RETRY_S_MAX = 30.0

ReadAgain = Callable[[], Awaitable[Learned]]
"""Reads what has changed."""
OpenReader = Callable[[], AbstractAsyncContextManager[ReadAgain]]
"""Connects to the store."""


class Teller:
    """Says what came of each reading; what it has said already is not said again."""

    def __init__(self, console: Console, first: Learned, where: str) -> None:
        self._console = console
        self._where = where
        self._left_out = left_out_line(first.left_out)
        self._trouble = ""
        self._is_store_gone = False

    def learned(self, learned: Learned) -> None:
        """Say what was learned, if anything has changed."""
        self._store_answers()
        self._trouble = ""
        line = left_out_line(learned.left_out)
        if line and line != self._left_out:
            self._console.note(line)
        self._left_out = line
        for text in learned.news:
            self._console.note(text)
        if learned.changed or learned.removed:
            gone = f", forgot {learned.removed:,} gone" if learned.removed else ""
            self._console.write(
                f"learned {counted(learned.changed, 'file')}{gone}; in all "
                f"{counted(learned.files, 'file')} with {counted(learned.passages, 'passage')}"
                f"{self._where}\n"
            )

    def refused(self, error: UsageError) -> None:
        """Say what is wrong with the files at present."""
        self._store_answers()
        line = f"{error}; watching goes on"
        if line != self._trouble:
            self._console.note(line)
        self._trouble = line

    def store_gone(self, error: StoreUnavailable) -> None:
        """Say that the store can't be reached."""
        if not self._is_store_gone:
            self._is_store_gone = True
            self._console.note(f"{error}; trying again until it answers")

    def _store_answers(self) -> None:
        if self._is_store_gone:
            self._is_store_gone = False
            self._console.note("the store answers again")


async def keep_learning(
    open_reading: OpenReader,
    changes: Callable[[], AsyncGenerator[None]],
    teller: Teller,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> NoReturn:
    """Read again at each change, for ever.

    Raises:
        ClusterError: neither the files nor the store is to blame.
    """
    failures = 0
    while True:
        try:
            async with open_reading() as read, aclosing(changes()) as told:
                async for _ in told:
                    await _read_once(read, teller)
                    failures = 0
        except StoreUnavailable as error:
            teller.store_gone(error)
            await pause(retry_s(failures))
            failures += 1


async def _read_once(read: ReadAgain, teller: Teller) -> None:
    try:
        learned = await read()
    except UsageError as error:
        teller.refused(error)
    else:
        teller.learned(learned)


def retry_s(failures: int) -> float:
    """Return how long to wait after so many failures before the latest."""
    return min(RETRY_S_MAX, RETRY_S_MIN * 2.0 ** min(failures, 16))
