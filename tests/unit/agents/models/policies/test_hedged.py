"""Hedged calls in virtual time: which attempt counts, what is said of it, and what is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import replace

import pytest

from agents.models.policies.hedged import WAITING_MAX, HedgedModel
from agents.models.port import (
    AttemptTally,
    Deed,
    Delta,
    Finish,
    Message,
    Note,
    Request,
    Restarted,
    StreamItem,
)
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from tests.simulation.calls.timed_model import NEVER_S, Due, Timed, TimedModel, spoken
from tests.simulation.loop import VirtualLoop

REQUEST = Request((Message("user", "x" * 400),), timeout_s=60.0)
CUT: Timed = [Due(0.5, Delta("first")), Due(0.1, ModelError("the endpoint cut its stream off"))]
STALLED: Timed = [Due(0.5, Delta("first")), Due(NEVER_S, Finish("stop"))]
VOID = Restarted("it broke off, and was asked again from the beginning")
RETRIED: Timed = [Due(0.5, Delta("first")), Due(0.0, VOID), *spoken(0.5, "second")]
"""What an adapter says that asks again before anybody has heard its first words."""


def known_speed() -> EndpointSpeed:
    """Return an endpoint whose first token takes a second, the next ones 0.1 s each."""
    speed = EndpointSpeed()
    for _ in range(100):
        speed.first_s.add(1.0)
    for _ in range(1_000):
        speed.gaps_s.add(0.1)
    return speed


def endpoint(*scripts: Timed) -> TimedModel:
    return TimedModel(lambda number: scripts[min(number, len(scripts) - 1)])


def hedged(*models: TimedModel) -> HedgedModel:
    return HedgedModel(models, [known_speed() for _ in models])


def virtually(work: Coroutine[object, object, list[StreamItem]]) -> tuple[list[StreamItem], float]:
    """Return what a call says, and how long it took."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work), loop.time()
    finally:
        loop.close()


async def said(model: HedgedModel, request: Request = REQUEST) -> list[StreamItem]:
    async with aclosing(model.stream(request)) as stream:
        return [item async for item in stream]


def texts(items: list[StreamItem]) -> list[str]:
    return [item.text for item in items if isinstance(item, Delta)]


def test_a_call_that_is_fast_is_asked_once() -> None:
    model = endpoint(spoken(0.5, "first"))

    items, took_s = virtually(said(hedged(model)))

    assert texts(items) == ["first"] * 3
    assert (len(items), len(model.requests)) == (4, 1)
    assert took_s == pytest.approx(0.7)


def test_a_late_call_is_asked_again_and_the_loser_is_cancelled_at_the_server() -> None:
    model = endpoint(spoken(30.0, "first"), spoken(0.5, "second"))

    items, took_s = virtually(said(hedged(model)))

    assert texts(items) == ["second"] * 3
    assert took_s == pytest.approx(1.7, abs=0.05)
    assert (model.open, model.cut) == (0, 1)


def test_a_hedge_is_told_once_with_what_it_wastes() -> None:
    items, _ = virtually(said(hedged(endpoint(spoken(30.0, "first"), spoken(0.5, "second")))))

    notes = [item for item in items if isinstance(item, Note)]
    assert [(note.deed, note.hedges, note.wasted_tokens) for note in notes] == [
        (Deed.HEDGED, 1, 100)
    ]
    assert notes[0].after_s == pytest.approx(1.0, abs=0.03)
    assert notes[0].reason.startswith("no answer had begun after")


def test_the_first_attempt_wins_where_it_speaks_first_after_all() -> None:
    items, _ = virtually(said(hedged(endpoint(spoken(1.2, "first"), spoken(9.0, "second")))))

    assert texts(items) == ["first"] * 3


def test_an_answer_that_stops_is_replaced_and_what_it_said_is_void() -> None:
    model = endpoint(STALLED, spoken(0.5, "second"))

    items, took_s = virtually(said(hedged(model)))

    assert [type(item) for item in items[:3]] == [Delta, Note, Restarted]
    assert texts(items[3:]) == ["second"] * 3
    assert took_s == pytest.approx(0.5 + 2.0 + 0.7)
    assert model.open == 0


def test_an_answer_that_breaks_off_at_the_end_of_its_time_is_not_begun_anew() -> None:
    talk = [Due(0.5, Delta("and so on ")) for _ in range(19)]
    late: Timed = [*talk, Due(0.0, ModelError("it was still answering"))]
    model = endpoint(late, spoken(0.1, "second"))

    with pytest.raises(ModelError, match="it was still answering"):
        virtually(said(hedged(model), replace(REQUEST, timeout_s=10.0)))

    assert len(model.requests) == 1


def test_an_answer_that_is_cut_off_is_replaced_once() -> None:
    items, _ = virtually(said(hedged(endpoint(CUT, spoken(0.5, "second")))))
    assert texts(items) == ["first", "second", "second", "second"]
    [restarted] = [item for item in items if isinstance(item, Restarted)]
    assert restarted.reason.endswith("one that failed: the endpoint cut its stream off")

    with pytest.raises(ModelError, match="cut its stream off"):
        virtually(said(hedged(endpoint(CUT))))


def test_an_answer_that_is_cut_off_is_not_replaced_where_no_request_is_left() -> None:
    model, request = endpoint(CUT, spoken(0.5, "second")), replace(REQUEST, tally=AttemptTally())
    for _ in range(request.attempts_max):
        request.tally.count()

    with pytest.raises(ModelError, match="cut its stream off"):
        virtually(said(hedged(model), request))

    assert len(model.requests) == 1


def test_what_the_endpoint_s_own_retry_makes_void_is_passed_on_as_void() -> None:
    items, _ = virtually(said(hedged(endpoint(RETRIED))))

    assert items[:2] == [Delta("first"), VOID]
    assert texts(items[2:]) == ["second"] * 3


@pytest.mark.parametrize("script", [CUT, STALLED, RETRIED])
def test_an_answer_that_is_in_use_never_begins_anew(script: Timed) -> None:
    model, request = endpoint(script, spoken(0.5, "second")), replace(REQUEST, timeout_s=10.0)
    heard: list[StreamItem] = []

    async def use() -> list[StreamItem]:
        async with aclosing(hedged(model).stream(request)) as stream:
            async for item in stream:
                heard.append(item)
                request.commitment.make()
        return heard

    with pytest.raises(ModelError):
        virtually(use())

    assert heard == [Delta("first")]
    assert len(model.requests) == 1


def test_an_answer_taken_into_use_while_its_replacement_is_awaited_stays() -> None:
    request = Request(REQUEST.messages, timeout_s=60.0)
    resumed: Timed = [Due(0.5, Delta("first")), Due(9.0, Delta("first")), Due(0.0, Finish("stop"))]

    async def use() -> list[StreamItem]:
        heard: list[StreamItem] = []
        async with aclosing(
            hedged(endpoint(resumed, spoken(1.0, "second"))).stream(request)
        ) as stream:
            async for item in stream:
                heard.append(item)
                if isinstance(item, Note):
                    request.commitment.make()
        return heard

    assert texts(virtually(use())[0]) == ["first", "first"]


def test_what_the_endpoint_takes_back_is_not_asked_for_again() -> None:
    withdrawal = ModelError("the endpoint stopped its answer by its content filter")
    withdrawal.is_withdrawal = True
    model = endpoint([Due(0.5, Delta("first")), Due(0.1, withdrawal)], spoken(0.5, "second"))

    with pytest.raises(ModelError, match="content filter"):
        virtually(said(hedged(model)))

    assert len(model.requests) == 1


@pytest.mark.parametrize(
    "first",
    [
        [Due(5.0, ModelError("it is down"))],
        [Due(1.5, Delta("first")), Due(0.5, ModelError("it broke off"))],
        [Due(1.5, Delta("first")), Due(NEVER_S, Finish("stop"))],
        [Due(NEVER_S, Finish("stop"))],
    ],
)
def test_what_one_attempt_takes_back_by_the_goals_fault_is_asked_of_nobody_else(
    first: Timed,
) -> None:
    refusal = ModelError("the endpoint stopped its answer by its content filter")
    refusal.is_withdrawal = refusal.is_askers_fault = True
    third = endpoint(spoken(0.5, "third"))
    models = [third, endpoint(first), endpoint([Due(0.2, refusal)])]

    with pytest.raises(ModelError, match="content filter"):
        virtually(said(hedged(*models)))

    assert [len(model.requests) for model in models] == [0, 1, 1]


def test_what_one_attempt_takes_back_another_answers_only_that_has_begun_to() -> None:
    refusal = ModelError("the endpoint stopped its answer by its content filter")
    refusal.is_withdrawal = refusal.is_askers_fault = True
    silent = [endpoint([Due(0.2, refusal)]), endpoint(spoken(1.5, "first"))]
    speaking = [endpoint([Due(0.4, refusal)]), endpoint(spoken(1.2, "first"))]

    with pytest.raises(ModelError, match="content filter"):
        virtually(said(hedged(*silent)))
    items, _ = virtually(said(hedged(*speaking)))

    assert texts(items) == ["first"] * 3


def test_a_replica_that_fails_is_followed_by_another_at_once() -> None:
    down, well = endpoint([Due(0.2, ModelError("it is down"))]), endpoint(spoken(0.5, "second"))

    outcomes = [virtually(said(hedged(*models))) for models in ((down, well), (well, down))]

    assert [texts(items) for items, _ in outcomes] == [["second"] * 3] * 2
    notes = [item for items, _ in outcomes for item in items if isinstance(item, Note)]
    assert [(note.deed, note.reason) for note in notes] == [(Deed.FELL_BACK, "it is down")]


def test_a_replica_is_asked_once_as_long_as_there_is_another() -> None:
    broken = endpoint([Due(0.1, ModelError("it is down"))])
    other = endpoint(spoken(0.5, "second"))

    virtually(said(hedged(other, broken)))

    asked = [*broken.requests, *other.requests]
    assert [request.attempts_max for request in asked] == [1, REQUEST.attempts_max]
    assert [request.may_wait for request in asked] == [False, True]


def test_no_replica_is_asked_for_a_call_that_has_no_request_left() -> None:
    broken = endpoint([Due(0.1, ModelError("it is down"))])
    other = endpoint(spoken(0.5, "second"))
    spent = AttemptTally()
    for _ in range(REQUEST.attempts_max):
        spent.count()

    with pytest.raises(ModelError, match="it is down"):
        virtually(said(hedged(other, broken), replace(REQUEST, tally=spent)))

    assert not other.requests


def test_a_call_that_nobody_answers_ends_in_time() -> None:
    model = endpoint([Due(NEVER_S, Finish("stop"))])

    with pytest.raises(ModelError, match="had not finished when the 60 s for it were over"):
        virtually(said(hedged(model)))

    assert len(model.requests) == 3
    assert model.open == 0


class Torrent(TimedModel):
    """A model that never waits, and counts what was read of it."""

    def __init__(self, pieces: int) -> None:
        super().__init__(lambda _: spoken(0.0, "word", pieces=pieces))
        self.read = 0

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Say all at once."""
        for due in self._script_of(0):
            assert isinstance(due.what, Delta | Finish)
            yield due.what
            self.read += 1


def test_a_model_that_is_faster_than_who_asks_is_not_read_far_ahead_of_them() -> None:
    model = Torrent(pieces=5 * WAITING_MAX)
    ahead = []

    async def slowly() -> list[StreamItem]:
        items: list[StreamItem] = []
        async with aclosing(hedged(model).stream(REQUEST)) as stream:
            async for item in stream:
                items.append(item)
                await asyncio.sleep(0)
                ahead.append(model.read - len(items))
        return items

    items, _ = virtually(slowly())

    assert texts(items) == ["word"] * 5 * WAITING_MAX
    assert WAITING_MAX - 1 <= max(ahead) <= WAITING_MAX
