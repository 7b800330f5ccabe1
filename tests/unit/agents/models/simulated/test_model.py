"""The simulated model's timing, on a clock that its own sleeps move."""

from __future__ import annotations

import pytest

from agents.models.port import Delta, Finish, Message, Request
from agents.models.simulated.model import SimulatedModel, Timing
from agents.models.simulated.script import Line
from cluster.kernel.errors import ModelError
from tests.support.clock import ManualClock

REQUEST = Request((Message("system", "You are the Coder."), Message("user", "Say it.")))
LINES = {"coder": {"*": Line("one two three four", 4)}}


class Run:
    """A model whose time passes by sleeping, each time by a little too much."""

    def __init__(self, timing: Timing, oversleeps_s: float = 0.0) -> None:
        self.clock = ManualClock(now=0.0)
        self.oversleeps_s = oversleeps_s
        self.model = SimulatedModel(timing, LINES, clock=self.clock, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        if seconds:
            self.clock.advance(seconds + self.oversleeps_s)

    async def items(self, request: Request = REQUEST) -> list[tuple[float, Delta | Finish]]:
        return [(self.clock.now(), item) async for item in self.model.stream(request)]


async def test_without_a_profile_it_takes_no_time_and_says_the_same_each_time() -> None:
    run = Run(Timing())

    first, second = await run.items(), await run.items()

    assert first == second
    assert run.clock.now() == 0.0
    assert first[-1][1] == Finish("stop", prompt_tokens=6, completion_tokens=4)


async def test_tokens_come_on_an_absolute_schedule_whatever_sleep_oversleeps() -> None:
    run = Run(Timing(ttft_s=0.3, tokens_per_s=10.0), oversleeps_s=0.01)

    times = [time for time, _ in await run.items()]

    assert times == pytest.approx([0.31, 0.41, 0.51, 0.61, 0.61])


async def test_the_token_limit_cuts_the_answer() -> None:
    run = Run(Timing())
    request = Request(REQUEST.messages, tokens_max=2)

    items = [item for _, item in await run.items(request)]

    assert items == [Delta("one "), Delta("two t"), Finish("length", 6, 2)]


async def test_an_answer_that_does_not_fit_into_the_time_is_an_error_when_that_is_over() -> None:
    run = Run(Timing(ttft_s=0.3, tokens_per_s=1.0))
    request = Request(REQUEST.messages, timeout_s=2.0)

    with pytest.raises(ModelError, match="did not finish within 2 s"):
        await run.items(request)

    assert run.clock.now() == 2.0
