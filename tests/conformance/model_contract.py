"""What every model keeps to, a policy around others no less: each promise is one test.

Run by `tests.conformance.test_model_policies` against each policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from agents.models.port import Delta, Finish, Message, Model, Request, Restarted, StreamItem
from cluster.kernel.errors import ModelError

HANG = "hang"
"""In a script: nothing more comes."""
Script = Sequence[StreamItem | ModelError | str]
REQUEST = Request((Message("user", "How many ports are there?"),), timeout_s=5.0)
ANSWER: Script = (Delta("Three "), Delta("ports."), Finish("stop", 9, 2))


@dataclass
class ScriptedModel:
    """Plays one script a call, the last one again and again, and knows what is open."""

    scripts: list[Script]
    open: int = 0
    calls: list[Request] = field(default_factory=list)
    warmed: int = 0
    closed: int = 0

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Play the next script."""
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.calls.append(request)
        self.open += 1
        try:
            for item in script:
                await asyncio.sleep(0)
                if isinstance(item, str):
                    await asyncio.get_running_loop().create_future()
                elif isinstance(item, ModelError):
                    raise item
                else:
                    yield item
        finally:
            self.open -= 1

    async def warm(self) -> None:
        """Count it."""
        self.warmed += 1

    async def close(self) -> None:
        """Count it."""
        self.closed += 1


Wrap = Callable[[ScriptedModel], Model]
Promise = Callable[[Wrap], Awaitable[None]]


async def items_of(model: Model, heard: list[StreamItem] | None = None) -> list[StreamItem]:
    """Return all that a call says; what it had said before it failed is in ``heard``."""
    items: list[StreamItem] = [] if heard is None else heard
    async with aclosing(model.stream(REQUEST)) as stream:
        async for item in stream:
            items.append(item)  # noqa: PERF401 - a comprehension would lose them with the error
    return items


def text_of(items: Sequence[StreamItem]) -> str:
    """Return the text that counts."""
    text = ""
    for item in items:
        if isinstance(item, Restarted):
            text = ""
        elif isinstance(item, Delta):
            text += item.text
    return text


def others() -> set[asyncio.Task[object]]:
    """Return the tasks beside the one that asks."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def a_whole_answer_is_passed_on_with_one_finish_at_its_end(wrap: Wrap) -> None:
    """Text and bill are those of the model."""
    items = await items_of(wrap(ScriptedModel([ANSWER])))

    assert text_of(items) == "Three ports."
    assert [item for item in items if isinstance(item, Finish)] == [items[-1]]
    assert items[-1] == ANSWER[-1]


async def an_empty_answer_is_an_answer(wrap: Wrap) -> None:
    """A Finish without any text."""
    assert await items_of(wrap(ScriptedModel([[Finish("stop")]]))) == [Finish("stop")]


async def a_failure_is_a_model_error_with_all_that_it_says(wrap: Wrap) -> None:
    """When to try again, and whose fault it was."""
    failure = ModelError("the endpoint wants fewer requests", 7.0)
    failure.is_askers_fault = failure.is_withdrawal = True

    with pytest.raises(ModelError, match="wants fewer requests") as raised:
        await items_of(wrap(ScriptedModel([[failure]])))

    error = raised.value
    assert (error.retry_after_s, error.is_askers_fault, error.is_withdrawal) == (7.0, True, True)


async def a_failure_in_the_middle_is_never_a_whole_answer(wrap: Wrap) -> None:
    """No Finish comes, and the error does."""
    cut: Script = [Delta("Three "), ModelError("the endpoint cut its stream off")]
    heard: list[StreamItem] = []

    with pytest.raises(ModelError, match="cut its stream off"):
        await items_of(wrap(ScriptedModel([cut])), heard=heard)

    assert text_of(heard) == "Three "
    assert not any(isinstance(item, Finish) for item in heard)


async def closing_it_early_closes_the_model_s_stream(wrap: Wrap) -> None:
    """So that the server stops generating."""
    inner = ScriptedModel([[Delta("Three "), HANG]])

    async with aclosing(wrap(inner).stream(REQUEST)) as stream:
        assert await anext(stream) == Delta("Three ")
        assert inner.open == 1

    assert inner.open == 0


async def a_cancelled_call_leaves_nothing_open_and_no_task(wrap: Wrap) -> None:
    """Whether it was cancelled before the first word or after."""
    before = others()
    scripts: tuple[Script, ...] = ([HANG], [Delta("Three "), HANG])
    for script in scripts:
        inner = ScriptedModel([script])
        call = asyncio.create_task(items_of(wrap(inner)))
        for _ in range(20):
            await asyncio.sleep(0)
        assert inner.open == 1

        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

        assert inner.open == 0
        assert others() == before


async def a_call_that_has_ended_leaves_nothing_open_and_no_task(wrap: Wrap) -> None:
    """Nor one that has failed."""
    before, inner = others(), ScriptedModel([ANSWER, [ModelError("it is down")]])
    model = wrap(inner)

    await items_of(model)
    with pytest.raises(ModelError):
        await items_of(model)

    assert inner.open == 0
    assert others() == before


async def calls_at_once_are_never_mixed(wrap: Wrap) -> None:
    """Each has the text of its own."""
    scripts: list[Script] = [
        [Delta(f"{number}") for _ in range(5)] + [Finish("stop")] for number in range(8)
    ]
    model = wrap(ScriptedModel([*scripts]))

    said = await asyncio.gather(*(items_of(model) for _ in range(8)))

    assert sorted(text_of(items) for items in said) == [str(number) * 5 for number in range(8)]


async def no_attempt_has_more_time_than_the_call(wrap: Wrap) -> None:
    """A policy that waits takes it from the attempt's time."""
    inner = ScriptedModel([ANSWER])

    await items_of(wrap(inner))

    assert [call.timeout_s <= REQUEST.timeout_s for call in inner.calls] == [True]
    assert inner.calls[0].commitment is REQUEST.commitment


async def warming_and_closing_reach_the_model(wrap: Wrap) -> None:
    """Once each."""
    inner = ScriptedModel([ANSWER])
    model = wrap(inner)

    await model.warm()
    await model.close()

    assert (inner.warmed, inner.closed) == (1, 1)


PROMISES: tuple[Promise, ...] = (
    a_whole_answer_is_passed_on_with_one_finish_at_its_end,
    an_empty_answer_is_an_answer,
    a_failure_is_a_model_error_with_all_that_it_says,
    a_failure_in_the_middle_is_never_a_whole_answer,
    closing_it_early_closes_the_model_s_stream,
    a_cancelled_call_leaves_nothing_open_and_no_task,
    a_call_that_has_ended_leaves_nothing_open_and_no_task,
    calls_at_once_are_never_mixed,
    no_attempt_has_more_time_than_the_call,
    warming_and_closing_reach_the_model,
)
