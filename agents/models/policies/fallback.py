"""A model of several: where one can't answer, the next one down the ladder does, and it is said.

Built by `agents.models.build` where more than one model is configured. One that was silent for most
of the time counts as one that can't answer. Of an answer that breaks off nothing is kept: what was
streamed of it is void, and the next model begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from agents.models.port import (
    Deed,
    Delta,
    Finish,
    Model,
    Note,
    Repeats,
    Request,
    Restarted,
    StreamItem,
)
from cluster.kernel.errors import ModelError
from cluster.kernel.sections import ModelTier
from cluster.kernel.time_shares import CALL_SILENT_SHARE

_DOWNWARDS: tuple[ModelTier, ...] = ("deep", "fast", "local")


@dataclass(frozen=True, slots=True)
class Rung:
    """One of the models."""

    name: str
    """What the user calls it."""
    tier: ModelTier
    model: Model
    tokens_max: int | None = None
    """Where it is to stop at the latest, whatever is asked for."""


class FallbackModel:
    """Streams from the first of several models that can answer.

    Args:
        rungs: the models, in the order of preference within a tier.
        falls_back: whether the next one is asked; else each call has but one.
    """

    def __init__(self, rungs: Sequence[Rung], *, falls_back: bool = True) -> None:
        self._rungs = tuple(rungs)
        self._falls_back = falls_back

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Yield what the models say; between two of them a note, and what is void.

        Each leaves one of the call's requests to every one that comes after it, but for those that
        run here: these ask no endpoint, and make one in any case.

        Raises:
            ModelError: the last one failed that there was time for, with what every one of them had
                to say; or one took its answer back by the goal's fault, or broke off where nothing
                may be begun anew.
        """
        now = asyncio.get_running_loop().time
        began_at = now()
        until = began_at + request.timeout_s
        places = ladder([each.tier for each in self._rungs], request.tier)
        rungs = [self._rungs[place] for place in places][: None if self._falls_back else 1]
        said: list[str] = []
        failed: ModelError | None = None
        for number, rung in enumerate(rungs):
            left_s = until - now()
            if failed is not None and left_s <= 0:  # whoever was told of it has taken the rest
                raise _of_all(failed, said) from failed
            rungs_left = len(rungs) - 1 - number
            asked_later = sum(each.tier != "local" for each in rungs[number + 1 :])
            attempt = _Attempt(rung, is_last=not rungs_left)
            bounded = replace(
                request,
                timeout_s=left_s,
                attempts_kept=asked_later,
                repeats=request.repeats if attempt.is_last else Repeats.BOUNDED,
            )
            try:
                async with aclosing(attempt.stream(bounded)) as items:
                    async for item in items:
                        yield item
                return
            except ModelError as error:
                failed = error
                said.append(str(error))
                is_refused = error.is_withdrawal and error.is_askers_fault
                ends = attempt.is_last or is_refused or now() >= until
                if ends or not attempt.may_be_void(request):
                    raise _of_all(error, said) from error
                reason = f"{rungs[number + 1].name} answers in place of {rung.name}: {error}"
                if attempt.has_spoken:
                    yield Restarted(reason)
                else:
                    yield Note(Deed.FELL_BACK, reason, now() - began_at)

    async def warm(self) -> None:
        """Get all of them ready; one that can't be is one that is asked in vain later."""
        await asyncio.gather(*(rung.model.warm() for rung in self._rungs))

    async def close(self) -> None:
        """Give all connections back."""
        await asyncio.gather(*(rung.model.close() for rung in self._rungs))


class _Attempt:
    """One model's turn at a call."""

    def __init__(self, rung: Rung, *, is_last: bool) -> None:
        self._rung = rung
        self.is_last = is_last
        self.has_spoken = False

    def may_be_void(self, request: Request) -> bool:
        """Say whether another model may begin anew, after what was streamed."""
        return not self.has_spoken or not request.commitment.is_made

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        loop = asyncio.get_running_loop()
        silent_s = silent_max_s(request.timeout_s, is_last=self.is_last)
        until = loop.time() + silent_s
        bounds = [each for each in (request.tokens_max, self._rung.tokens_max) if each is not None]
        bounded = replace(request, tokens_max=min(bounds, default=None))
        async with aclosing(self._rung.model.stream(bounded)) as items:
            while True:
                try:
                    async with asyncio.timeout_at(None if self.has_spoken else until):
                        item = await anext(items)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise ModelError(
                        f"{self._rung.name} had said nothing after {silent_s:.3g} s"
                    ) from None
                self.has_spoken |= isinstance(item, Delta)
                yield item
                if isinstance(item, Finish):
                    return


def _of_all(error: ModelError, said: Sequence[str]) -> ModelError:
    """Return the last model's error, with what the others had said before."""
    if len(said) == 1:
        return error
    last = said[-1].rstrip(".")
    told = ModelError(f"{last}; before it: {'; '.join(said[:-1])}", error.retry_after_s)
    told.is_withdrawal = error.is_withdrawal
    told.is_askers_fault = error.is_askers_fault
    return told


def ladder(tiers: Sequence[ModelTier], wanted: ModelTier) -> tuple[int, ...]:
    """Return the places of the models to be asked, one after another.

    First those of the wanted tier, then the plainer ones; where there are none of these at all,
    what is there: whoever can't have a plain model gets a better one.

    Args:
        tiers: of each model there is.
        wanted: what the call is for.
    """
    rank = {tier: number for number, tier in enumerate(_DOWNWARDS)}
    places = range(len(tiers))
    below = [place for place in places if rank[tiers[place]] >= rank[wanted]]
    if not below:
        return tuple(sorted(places, key=lambda place: -rank[tiers[place]]))
    return tuple(sorted(below, key=lambda place: rank[tiers[place]]))


def silent_max_s(left_s: float, *, is_last: bool) -> float:
    """Return how long a model may say nothing before the next one is asked."""
    return left_s if is_last else left_s * CALL_SILENT_SHARE
