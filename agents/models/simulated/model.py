"""A model that costs nothing: scripted text, streamed by a timing profile.

For benchmarks, tests and a first try without a model. `agents.models.simulated.parts` knows what
is said; this knows when. `simulated:?ttft_s=0.3&tokens_per_s=50` in `agents.models.uri` builds it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from agents.models.port import Delta, Finish, Request
from agents.models.simulated.parts import reply
from agents.models.simulated.script import NO_LINES, Line, Lines
from cluster.kernel.clock import Clock, SystemClock
from cluster.kernel.errors import ModelError


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast a simulated model is; the default takes no time at all."""

    ttft_s: float = 0.0
    """Time to the first token."""
    tokens_per_s: float = math.inf

    def due_s(self, token: int) -> float:
        """Return when a token (from 0) is due, in seconds since the request."""
        return self.ttft_s + token / self.tokens_per_s


class SimulatedModel:
    """Plays the agents' parts; the same request always gets the same deltas."""

    def __init__(
        self,
        timing: Timing | None = None,
        lines: Lines = NO_LINES,
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._timing = timing or Timing()
        self._lines = lines
        self._clock = clock or SystemClock()
        self._sleep = sleep

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Finish, None]:
        """Yield the reply piece by piece, then Finish.

        Raises:
            ModelError: the timing profile does not fit into the request's ``timeout_s``.
        """
        started = self._clock.now()
        pieces = reply(request, self._lines).pieces()
        said = pieces[: request.tokens_max]
        for number, piece in enumerate(said):
            due_s = self._timing.due_s(number)
            is_late = due_s > request.timeout_s
            # On an absolute schedule: what one sleep oversleeps, the next one makes up for.
            await self._sleep(self._left_s(started + min(due_s, request.timeout_s)))
            if is_late:
                raise ModelError(
                    f"the simulated model did not finish within {request.timeout_s:g} s; allow "
                    "more time, or raise its tokens_per_s"
                )
            yield Delta(piece)
        prompt_tokens = sum(len(Line(message.text).pieces()) for message in request.messages)
        yield Finish("stop" if len(said) == len(pieces) else "length", prompt_tokens, len(said))

    def _left_s(self, due: float) -> float:
        return max(0.0, due - self._clock.now())

    async def warm(self) -> None:
        """Nothing has to be opened."""

    async def close(self) -> None:
        """Nothing to give back."""
