"""A model that says each piece when a script has it said, in the loop's own time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from agents.models.port import Delta, Finish, Request, StreamItem
from cluster.kernel.errors import ModelError

NEVER_S = 1e6


@dataclass(frozen=True)
class Due:
    """What is said so many seconds after what came before."""

    after_s: float
    what: StreamItem | ModelError | None
    """None: the stream ends, as one that was cut off does."""


Timed = Sequence[Due]


def spoken(first_s: float, text: str, gap_s: float = 0.1, pieces: int = 3) -> Timed:
    """Return a whole answer whose pieces all say the same text."""
    said = [Due(first_s if not number else gap_s, Delta(text)) for number in range(pieces)]
    return [*said, Due(0.0, Finish("stop", 10, pieces))]


class TimedModel:
    """Asks for a script for each call, and knows what is open."""

    def __init__(self, script_of: Callable[[int], Timed]) -> None:
        self._script_of = script_of
        self.requests: list[Request] = []
        self.open = 0
        self.cut = 0
        """Streams that were closed before their end."""

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Play the next script."""
        number = len(self.requests)
        self.requests.append(request)
        self.open += 1
        is_ended = False
        try:
            for due in self.script(number, request):
                await asyncio.sleep(due.after_s)
                if isinstance(due.what, ModelError):
                    is_ended = True
                    raise due.what
                if due.what is None:
                    break
                is_ended = isinstance(due.what, Finish)
                yield due.what
            is_ended = True
        finally:
            self.open -= 1
            self.cut += not is_ended

    def script(self, number: int, request: Request) -> Timed:
        """Return how a request is answered."""
        return self._script_of(number)

    async def warm(self) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to give back."""
