"""The ends of streams whose text is in use already: read beside the turn, for what they cost.

An agent has one `Tails`; `agents.models.call` gives it what is left of a call. A tail is bounded,
is cut with a turn that fails or is cancelled, and outlives one that ends only for its connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

from cluster.kernel.turn import Turn

_BILL_WAIT_S = 0.1
"""How long a turn's end waits for what its last call has cost; a tail that talks is not waited for.
Servers say it within the time of a token."""


class Tailed(Protocol):
    """A call whose text is in use, and whose stream has not ended."""

    @property
    def says_more(self) -> bool:
        """Whether more than white space came after the text was whole."""
        ...

    def settle(self) -> None:
        """Account for it as far as is known, once."""
        ...


class TurnTails:
    """Those of one turn."""

    def __init__(self) -> None:
        self._calls: dict[asyncio.Task[None], Tailed] = {}

    def keep(self, reading: asyncio.Task[None], call: Tailed) -> None:
        """Own what reads the rest of a call."""
        self._calls[reading] = call

    async def end(self) -> list[asyncio.Task[None]]:
        """Account for all calls, and return what still reads.

        Raises:
            ModelError: an endpoint has taken its text back.
        """
        ending = [reading for reading, call in self._calls.items() if not call.says_more]
        if any(not reading.done() for reading in ending):
            await asyncio.wait(ending, timeout=_BILL_WAIT_S)
        left = [reading for reading in self._calls if not reading.done()]
        for reading in left:
            self._calls[reading].settle()
            if self._calls[reading].says_more:
                reading.cancel()  # the server stops generating
        for reading in self._calls.keys() - set(left):
            reading.result()
        return left

    async def cut(self) -> None:
        """End all reading, and close the connections."""
        await _cut(self._calls)


class Tails:
    """Those of all turns of an agent."""

    def __init__(self) -> None:
        self._turns: dict[int, TurnTails] = {}
        self._left: set[asyncio.Task[None]] = set()
        """Of turns that have ended."""

    def of(self, turn: Turn) -> TurnTails | None:
        """Return who owns the tails of a turn; None outside of `during` it."""
        return self._turns.get(id(turn))

    @asynccontextmanager
    async def during(self, turn: Turn) -> AsyncGenerator[None]:
        """Own the tails of a turn until it ends; raises ModelError where a text is taken back."""
        if id(turn) in self._turns:  # the agent hands a message on to itself
            yield
            return
        tails = self._turns[id(turn)] = TurnTails()
        try:
            yield
            for reading in await tails.end():
                self._left.add(reading)
                reading.add_done_callback(self._forget)
        except BaseException:
            await tails.cut()
            raise
        finally:
            del self._turns[id(turn)]

    async def close(self) -> None:
        """End all reading."""
        await _cut(list(self._left))

    def _forget(self, reading: asyncio.Task[None]) -> None:
        self._left.discard(reading)
        _ = reading.cancelled() or reading.exception()  # nobody is left to be told


async def _cut(readings: Iterable[asyncio.Task[None]]) -> None:
    under_way = [reading for reading in readings if not reading.done()]
    for reading in under_way:
        reading.cancel()
    await asyncio.gather(*readings, return_exceptions=True)
