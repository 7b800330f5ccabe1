"""A model whose slow calls are asked a second time, of one endpoint or of several replicas.

When and whether is decided by `cluster.kernel.tail.hedger`; here are the tasks that read the
attempts' streams. Above whatever retries at one endpoint, below what turns to another model. Of
several replicas it is this one that waits for room, so that each is asked again in its turn.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from agents.models.port import (
    ATTEMPTS_MAX,
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
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.tail.hedged_call import NEVER, HedgeAttempt, HedgedCall, HedgeMove, HedgeStep
from cluster.kernel.tail.hedger import Hedger, HedgeRules
from cluster.kernel.tail.pauses import pause_s
from cluster.kernel.time_shares import CALL_ANEW_SHARE

WAITING_MAX = 64
"""Items that have been read and not been taken."""
_ATTEMPT_SHARE = 0.99
"""Of a call's time, what its attempts have: they say better what was wrong."""
_CHARACTERS_PER_TOKEN = 4

Said = tuple[int, float, StreamItem | Exception]
"""Which attempt, when, and what it has said, or why it has failed."""


class HedgedModel:
    """Streams from whichever attempt speaks first, and cancels the others at the server."""

    def __init__(
        self,
        models: Sequence[Model],
        speeds: Sequence[EndpointSpeed] | None = None,
        rules: HedgeRules | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._models = models
        self._rng = rng or random.SystemRandom()
        self.speeds = speeds or [EndpointSpeed() for _ in models]
        """What is known of each; grows with every call."""
        self._hedger = Hedger(self.speeds, rules)

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Stream the text of one attempt; where it is void, `Restarted` says so before the next.

        Raises:
            ModelError: no attempt has come to an end within the request's time.
        """
        call = _Call(self._models, self._hedger, request, self._rng)
        try:
            call.begin()
            while not call.is_over:
                for item in await call.said():
                    yield item
        finally:
            await call.close()

    async def warm(self) -> None:
        """Get all replicas ready to be called."""
        await asyncio.gather(*(model.warm() for model in self._models))

    async def close(self) -> None:
        """Give the connections of all replicas back."""
        await asyncio.gather(*(model.close() for model in self._models))


class _Heard:
    """What the attempts have said and the call has not taken yet: a bounded queue with one reader.

    An `asyncio.Queue` under a timeout takes as much CPU as all that is decided about a token
    (`engine.chain_ms`: four calls of a model in one chain).
    """

    def __init__(self) -> None:
        self._said: deque[Said] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._has_room = asyncio.Event()

    async def put(self, said: Said) -> None:
        """Add what an attempt has said, once there is room for it."""
        while len(self._said) >= WAITING_MAX:
            self._has_room.clear()
            await self._has_room.wait()
        self._said.append(said)
        if self._reader is not None:
            _wake(self._reader)

    async def take(self, until: float) -> Said | None:
        """Return what was said next; None where nothing is by a time of the event loop."""
        if not self._said:
            loop = asyncio.get_running_loop()
            self._reader = reader = loop.create_future()
            timer = loop.call_at(until, _wake, reader)
            try:
                await reader
            finally:
                timer.cancel()
                self._reader = None
        if not self._said:
            return None
        self._has_room.set()
        return self._said.popleft()


def _wake(reader: asyncio.Future[None]) -> None:
    if not reader.done():
        reader.set_result(None)


class _Patience:
    """How a call waits for replicas that have no room, and how long it has at all."""

    def __init__(self, replicas: int, request: Request, until: float, rng: random.Random) -> None:
        self._replicas = replicas
        self._request = request
        self._rng = rng
        self._has_told = False
        self.until = until
        """A time of the event loop."""

    def request(self, call: HedgedCall, now: float) -> Request:
        """Return what a replica is asked, which does by itself what is not done here.

        Where another replica is left, that one is asked in place of one that fails, and at once. A
        replica that had no room has a request left when its turn comes.
        """
        repeats, kept = self._request.repeats, self._request.attempts_kept
        if self._replicas > 1 and repeats is not Repeats.NEVER:
            is_last = all(call.has_asked(index) for index in range(self._replicas))
            repeats = Repeats.FAILURES if is_last else Repeats.NEVER
            kept += sum(each.ask_at < NEVER for each in call.unanswered)
        left_s = (self.until - now) * _ATTEMPT_SHARE
        return replace(self._request, timeout_s=left_s, repeats=repeats, attempts_kept=kept)

    def room_at(self, call: HedgedCall, number: int, error: ModelError, now: float) -> float | None:
        """Return when a replica is asked again that had no room; None where it failed otherwise.

        Where there is but one, whoever asks it has waited for it already.
        """
        attempt = call.attempt(number)
        if attempt is None or not error.is_busy or self._replicas == 1:
            return None
        if self._request.repeats is Repeats.UNTIL_ROOM:
            self._request.tally.give_back()
        elif self._request.repeats is not Repeats.BOUNDED or not self._request.may_ask_anew:
            return NEVER
        times = call.refusals_of(attempt.replica) + 1
        at = now + pause_s(times, error.retry_after_s or None, self._rng)
        return at if at < self.until else NEVER

    def note(self, call: HedgedCall, error: ModelError) -> Note | None:
        """Return what says that no replica has room, once a call has waited for some time."""
        refusals = max((each.refusals for each in call.unanswered), default=0)
        if self._has_told or call.under_way or refusals < ATTEMPTS_MAX:
            return None
        self._has_told = True
        return Note(Deed.WAITED, f"a replica with room was waited for: {error}")


class _Call:
    """One call: its attempts, and what came from them."""

    def __init__(
        self, models: Sequence[Model], hedger: Hedger, request: Request, rng: random.Random
    ) -> None:
        self._now = asyncio.get_running_loop().time
        self._models = models
        self._hedger = hedger
        self._request = request
        self._patience = _Patience(len(models), request, self._now() + request.timeout_s, rng)
        self._heard = _Heard()
        self._readings: dict[int, asyncio.Task[None]] = {}
        self._call: HedgedCall = hedger.begin(self._now())
        self._said: list[StreamItem] = []
        """What is to be passed on next."""
        self._spoke_at = 0.0
        self._deltas = 0
        """Of the attempt that counts."""
        self._error: ModelError | None = None
        """Why the last attempt failed that did."""
        self._refusal: ModelError | None = None
        """Why an attempt was taken back by the goal's fault: nobody is asked for the same again."""
        self._why_void = "its answer had stopped, and another attempt has begun"
        self.is_over = False
        """Whether the Finish was passed on."""

    def begin(self) -> None:
        """Make the first attempt."""
        self._start(self._call.under_way[0])

    async def said(self) -> Sequence[StreamItem]:
        """Wait for what comes next, and return what of it is to be passed on."""
        heard = await self._heard.take(min(self._call.due_at, self._patience.until))
        if heard is None:
            self._be_overdue()
        else:
            self._take(*heard)
        if self._refusal is not None and self._call.committed is None:
            raise self._refusal
        said, self._said = self._said, []
        return said

    async def close(self) -> None:
        """Cancel what is under way, and wait until its streams are closed."""
        if self._call.under_way:
            self._call = self._hedger.released(self._call, self._now())
        readings = [reading for reading in self._readings.values() if not reading.done()]
        for reading in readings:
            reading.cancel()
        if readings:  # of most calls the only one has ended
            await asyncio.gather(*readings, return_exceptions=True)

    def _be_overdue(self) -> None:
        now = self._now()
        if now >= self._patience.until:
            raise self._why_failed() or ModelError(
                f"the model had not finished when the {self._request.timeout_s:.3g} s for it"
                " were over"
            )
        if now >= self._call.due_at:
            step = self._hedger.overdue(
                self._call,
                now,
                may_restart=self._may_restart(),
                may_ask=self._refusal is None,
            )
            self._carry_out(step, self._why_late(step, now))

    def _take(self, number: int, at: float, item: StreamItem | Exception) -> None:
        if self._call.attempt(number) is None:
            return  # it was dropped when this had been read already
        if isinstance(item, ModelError):
            self._take_failure(number, item)
        elif isinstance(item, Exception):
            raise item
        elif isinstance(item, Delta | Finish):
            self._take_words(number, at, item)
        elif isinstance(item, Restarted):
            self._take_restart(number, at, item)
        elif number == self._call.committed or self._may_tell(item):
            self._said.append(item)

    def _take_restart(self, number: int, at: float, restarted: Restarted) -> None:
        """Take that whoever retries at the endpoint begins anew.

        That was decided before what had been read was passed on: it may have come into use since.
        """
        if number != self._call.committed:
            return
        if not self._may_restart():
            self._take_failure(number, ModelError(restarted.reason))
            return
        self._spoke_at, self._deltas = at, 0
        self._said.append(restarted)

    def _may_tell(self, note: Note) -> bool:
        """Say whether a note of another attempt may be passed on: its prompt may be nobody's."""
        is_open = self._call.committed is None or self._may_restart()
        return note.deed is not Deed.FITTED or is_open

    def _take_words(self, number: int, at: float, item: Delta | Finish) -> None:
        if number != self._call.committed or isinstance(item, Delta):
            restart = self._may_restart()
            step = self._hedger.heard(self._call, number, at, may_restart=restart)
            self._carry_out(step, self._why_void)
        if number != self._call.committed:
            return
        self._said.append(item)
        if isinstance(item, Finish):
            tokens = item.completion_tokens or self._deltas
            self._call = self._hedger.finished(self._call, tokens, at - self._spoke_at, at)
            self.is_over = True
        else:
            self._deltas += 1

    def _take_failure(self, number: int, error: ModelError) -> None:
        if error.is_withdrawal and number == self._call.committed:
            raise self._refusal or error
        self._error = error
        if number == self._call.committed:
            self._why_void = f"another attempt answers in place of one that failed: {error}"
        now = self._now()
        has_time = self._patience.until - now >= self._request.timeout_s * CALL_ANEW_SHARE
        # What was asked for again at the endpoint itself may have found no room there.
        has_said = number == self._call.committed and self._deltas > 0
        room_at = None if has_said else self._patience.room_at(self._call, number, error, now)
        may_ask = self._request.may_ask_anew
        step = self._hedger.failed(
            self._call,
            number,
            now,
            by_asker=error.is_askers_fault,
            may_ask=self._refusal is None and may_ask,
            may_restart=self._may_restart() and has_time and may_ask,
            room_at=room_at,
        )
        self._carry_out(step, str(error))
        if step.move is HedgeMove.WAIT and (note := self._patience.note(step.call, error)):
            self._said.append(note)

    def _carry_out(self, step: HedgeStep, reason: str) -> None:
        self._call = step.call
        for attempt in step.dropped:
            self._readings[attempt.number].cancel()
        match step.move:
            case HedgeMove.START:
                self._start(step.call.under_way[-1])
                self._tell(step.call, reason)
            case HedgeMove.RETURN:
                self._start(step.call.under_way[-1])
            case HedgeMove.COMMIT:
                self._spoke_at = self._now()
            case HedgeMove.SWITCH:
                self._spoke_at, self._deltas = self._now(), 0
                self._said.append(Restarted(reason))
            case HedgeMove.FAIL:
                raise self._why_failed() or ModelError(
                    "the model's answer stopped, and is in use already"
                )

    def _why_failed(self) -> ModelError | None:
        return self._refusal or self._error

    def _tell(self, call: HedgedCall, reason: str) -> None:
        """Say that there is one more request; the prompt of one of them is read for nothing."""
        is_instead = len(call.under_way) == 1 and call.committed is None
        tokens = self._request.characters // _CHARACTERS_PER_TOKEN
        self._said.append(
            Note(
                Deed.FELL_BACK if is_instead else Deed.HEDGED,
                reason,
                self._now() - call.began_at,
                wasted_tokens=0 if is_instead else tokens,
                hedges=0 if is_instead else 1,
            )
        )

    def _why_late(self, step: HedgeStep, now: float) -> str:
        if step.call.committed is None:
            return f"no answer had begun after {now - step.call.began_at:.3g} s"
        return f"the answer had stopped for {now - step.call.heard_at:.3g} s"

    def _may_restart(self) -> bool:
        return not self._request.commitment.is_made and self._refusal is None

    def _start(self, attempt: HedgeAttempt) -> None:
        request = self._patience.request(self._call, self._now())
        reading = self._read(attempt.number, self._models[attempt.replica], request)
        self._readings[attempt.number] = asyncio.create_task(reading, name="model attempt")

    async def _read(self, number: int, model: Model, request: Request) -> None:
        """Pass on what an attempt says; a task of its own, which closes what it opens."""
        try:
            async with aclosing(model.stream(request)) as stream:
                async for item in stream:
                    await self._heard.put((number, self._now(), item))
                    if isinstance(item, Finish):
                        return
            raise ModelError("the model's stream ended without saying that it was complete")
        except Exception as error:  # noqa: BLE001 - raised where the call is
            if isinstance(error, ModelError) and error.is_withdrawal and error.is_askers_fault:
                self._refusal = error  # though the call may drop the attempt before it hears of it
            await self._heard.put((number, self._now(), error))
