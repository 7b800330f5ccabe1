"""A model that isn't asked while its endpoint fails: the caller hears so at once.

When it opens and closes is decided by `cluster.kernel.tail.breaker`. Around each endpoint, below
whatever asks several of them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agents.models.port import Model, Request, StreamItem
from cluster.kernel.clock import Clock, SystemClock
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.breaker import Admission, Breaker, CallOutcome


class BreakerModel:
    """Streams from a model while it works."""

    def __init__(self, model: Model, clock: Clock | None = None) -> None:
        self._model = model
        self._clock = clock or SystemClock()
        self._breaker = Breaker()
        self._why = ""
        """What the last failure was."""

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Stream as the model does.

        Raises:
            ModelError: as the model does, or it has failed too often and isn't asked for now.
        """
        self._breaker, admission = self._breaker.admitted(self._clock.now())
        if admission is Admission.REFUSED:
            raise self._refusal()
        outcome, retry_after_s = CallOutcome.UNTOLD, 0.0
        try:
            async with aclosing(self._model.stream(request)) as stream:
                async for item in stream:
                    outcome = CallOutcome.ANSWERED  # who closes the stream early has been answered
                    yield item
        except ModelError as error:
            is_untold = error.is_askers_fault or error.is_busy
            outcome = CallOutcome.UNTOLD if is_untold else CallOutcome.FAILED
            self._why = str(error).rstrip(".")
            retry_after_s = error.retry_after_s
            raise
        finally:
            now = self._clock.now()
            self._breaker = self._breaker.after(admission, outcome, now, retry_after_s)

    async def warm(self) -> None:
        """Get ready to be called."""
        await self._model.warm()

    async def close(self) -> None:
        """Give the model's connections back."""
        await self._model.close()

    def _refusal(self) -> ModelError:
        breaker, now = self._breaker, self._clock.now()
        left_s = max(0.0, (breaker.open_until or now) - now)
        failures = f"{breaker.failures} calls in a row" if breaker.failures > 1 else "a call"
        since, until = (self._wall_time(at - now) for at in (breaker.since, now + left_s))
        return ModelError(
            f"the model's endpoint has failed {failures} since {since}"
            f" and isn't asked again before {until}: {self._why}",
            left_s,
        )

    def _wall_time(self, from_now_s: float) -> str:
        return time.strftime("%H:%M:%S", time.localtime(self._clock.wall() + from_now_s))
