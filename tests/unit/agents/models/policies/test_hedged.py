"""Hedged calls in virtual time: which attempt counts, what is said of it, and what is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise

import pytest

from agents.models.policies.hedged import WAITING_MAX, HedgedModel
from agents.models.port import (
    AttemptTally,
    Commitment,
    Deed,
    Delta,
    Finish,
    Message,
    Note,
    Repeats,
    Request,
    Restarted,
    StreamItem,
)
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.tail.pauses import PAUSE_MAX_S
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


def failed_after(model: HedgedModel, request: Request = REQUEST) -> float:
    """Return how long a call took that fails."""
    loop = VirtualLoop()
    try:
        with pytest.raises(ModelError):
            loop.run_until_complete(said(model, request))
        return loop.time()
    finally:
        loop.close()


def fresh(**changes: object) -> Request:
    """Return the request of another call."""
    return replace(REQUEST, tally=AttemptTally(), commitment=Commitment(), **changes)  # type: ignore[arg-type]


def gaps(model: Crowded) -> list[float]:
    return [later - earlier for earlier, later in pairwise(model.asked_at)]


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
    assert [request.repeats for request in asked] == [Repeats.NEVER, Repeats.FAILURES]


def test_a_replica_that_is_alone_is_waited_for_by_whoever_asks_it() -> None:
    alone = endpoint(spoken(0.5, "first"))

    virtually(said(hedged(alone)))

    assert [request.repeats for request in alone.requests] == [Repeats.UNTIL_ROOM]


def test_no_replica_is_asked_for_a_call_that_has_no_request_left() -> None:
    broken = endpoint([Due(0.1, ModelError("it is down"))])
    other = endpoint(spoken(0.5, "second"))
    spent = AttemptTally()
    for _ in range(REQUEST.attempts_max):
        spent.count()

    with pytest.raises(ModelError, match="it is down"):
        virtually(said(hedged(other, broken), replace(REQUEST, tally=spent)))

    assert not other.requests


class Crowded(TimedModel):
    """A replica that has no room until a time, and knows when it was asked."""

    def __init__(self, until: float, asked_s: float = 0.0) -> None:
        super().__init__(lambda _: spoken(0.1, "room"))
        self._until = until
        self._error = ModelError("it has no room", asked_s)
        self._error.is_busy = True
        self.asked_at: list[float] = []

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Count the request, and answer it where there is room."""
        request.tally.count()
        now = asyncio.get_running_loop().time()
        self.asked_at.append(now)
        if now < self._until:
            raise self._error
        async with aclosing(super().stream(request)) as stream:
            async for item in stream:
                yield item


def test_replicas_without_room_are_asked_in_turn_until_one_has_room() -> None:
    never, soon = Crowded(NEVER_S), Crowded(7.0)
    request = fresh()

    items, took_s = virtually(said(hedged(soon, never), request))

    assert texts(items) == ["room"] * 3
    assert 7.0 < took_s < 7.0 + PAUSE_MAX_S + 0.5
    assert abs(len(never.asked_at) - len(soon.asked_at)) <= 1
    assert request.tally.made == 1


def test_no_replica_is_asked_sooner_than_it_wants_to_be_nor_later_than_after_a_pause() -> None:
    patient, hasty = Crowded(NEVER_S, asked_s=9.0), Crowded(20.0)

    virtually(said(hedged(patient, hasty), fresh()))

    assert gaps(patient) == pytest.approx([9.0] * len(gaps(patient)))
    assert len(patient.asked_at) == 3
    assert max(gaps(hasty)) <= PAUSE_MAX_S
    assert len(hasty.asked_at) < 15


def test_a_call_that_waits_for_long_says_so_once_and_names_no_other_model() -> None:
    items, _ = virtually(said(hedged(Crowded(20.0), Crowded(NEVER_S)), fresh()))

    notes = [item for item in items if isinstance(item, Note)]
    assert [note.deed for note in notes] == [Deed.FELL_BACK, Deed.WAITED]
    assert notes[1].reason == "a replica with room was waited for: it has no room"


def test_a_call_that_finds_no_room_ends_in_time_with_what_was_said() -> None:
    one, other, request = Crowded(NEVER_S), Crowded(NEVER_S), fresh(timeout_s=20.0)

    with pytest.raises(ModelError, match="it has no room") as failed:
        virtually(said(hedged(one, other), request))

    assert failed.value.is_busy
    assert 20.0 - PAUSE_MAX_S < max(*one.asked_at, *other.asked_at) < 20.0
    assert request.tally.made == 0


def test_a_call_is_not_held_for_replicas_that_ask_for_more_time_than_there_is() -> None:
    one, other = Crowded(NEVER_S, asked_s=90.0), Crowded(NEVER_S, asked_s=60.0)

    loop_s = failed_after(hedged(one, other))

    assert loop_s < 1.0


def test_a_replica_without_room_is_asked_again_where_the_others_have_failed() -> None:
    down = endpoint([Due(0.1, ModelError("it is down"))])
    crowded = Crowded(5.0)

    items, _ = virtually(said(hedged(down, crowded), fresh()))

    assert texts(items) == ["room"] * 3
    assert [request.attempts_kept for request in down.requests] == [1]


def test_replicas_without_room_share_the_requests_of_a_call_where_a_tier_is_left_to_ask() -> None:
    one, other, third = Crowded(NEVER_S), Crowded(NEVER_S), fresh(repeats=Repeats.BOUNDED)

    assert failed_after(hedged(one, other), third) < PAUSE_MAX_S

    assert sorted([len(one.asked_at), len(other.asked_at)]) == [1, 2]
    assert third.tally.made == third.attempts_max


def test_no_replica_is_waited_for_once_the_request_itself_was_refused() -> None:
    refusal = ModelError("it does not accept the request")
    refusal.is_askers_fault = True
    refusing, crowded = endpoint([Due(0.1, refusal)]), Crowded(NEVER_S)

    assert failed_after(hedged(refusing, crowded)) < 1.0

    assert len(crowded.asked_at) == 1


def test_each_of_several_replicas_is_asked_before_any_is_asked_again() -> None:
    down = [endpoint([Due(0.1, ModelError("it is down"))]) for _ in range(2)]
    crowded = [Crowded(NEVER_S), Crowded(NEVER_S)]

    assert failed_after(hedged(*down, *crowded), fresh(timeout_s=9.0)) < 9.0

    assert [len(model.requests) for model in down] == [1, 1]
    assert min(len(model.asked_at) for model in crowded) > 2


def test_a_replacement_that_finds_no_room_is_made_again_while_nothing_is_in_use() -> None:
    cut, crowded = endpoint(CUT), Crowded(5.0)

    items, _ = virtually(said(hedged(crowded, cut), fresh()))

    assert texts(items) == ["first", *["room"] * 3]
    assert sum(isinstance(item, Restarted) for item in items) == 1


def test_what_is_asked_again_at_its_endpoint_and_finds_no_room_is_waited_for_too() -> None:
    busy = ModelError("it has no room")
    busy.is_busy = True
    spent = endpoint([Due(0.5, Delta("Hm")), Due(0.0, VOID), Due(0.1, busy)], spoken(0.1, "room"))

    items, took_s = virtually(said(hedged(Crowded(NEVER_S), spent), fresh()))

    assert texts(items) == ["Hm", *["room"] * 3]
    assert took_s < 1.0 + PAUSE_MAX_S


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
