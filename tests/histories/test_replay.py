"""The code of today does with every recorded journal what was done when it was recorded.

A failure here says that tasks which are under way while a cluster is updated would go on otherwise
than they began. Where that is meant: ``python -m tests.histories.record --accept``, read the
difference, and say in the commit why it does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cluster.kernel.errors import WireError
from cluster.kernel.events import Event, StepFinished
from cluster.kernel.tasks.history import DoStep, MakePlan, Order, TaskHistory
from cluster.runtime.tasks.task_journal import events_of
from tests.histories.journals import CODEC, names, recorded, replayed, stored_event
from tests.histories.shapes import SHAPES
from tests.histories.streamed import STREAMED

Change = Callable[[bytes], bytes]


@pytest.mark.parametrize("name", names())
def test_a_recorded_journal_is_read_and_followed_as_it_was(name: str) -> None:
    entries = recorded(name)
    assert replayed(entry.stored for entry in entries) == entries


def test_every_shape_is_recorded_to_its_end() -> None:
    assert sorted(SHAPES | STREAMED) == names()
    assert len(names()) >= 20
    for name in names():
        assert recorded(name)[-1].orders == []
        assert all(entry.orders != [] for entry in recorded(name)[:-1])


class Eager(TaskHistory):
    """Starts steps before what they need is there."""

    def _is_ready(self, step: object) -> bool:
        return True


class Forgetful(TaskHistory):
    """Does not ask again for steps that were started."""

    def orders(self) -> tuple[Order, ...]:
        return tuple(o for o in super().orders() if not isinstance(o, DoStep) or o.attempt == 1)


class Uncounting(TaskHistory):
    """Asks again as if for the first time."""

    def orders(self) -> tuple[Order, ...]:
        return tuple(
            replace(o, attempt=1) if isinstance(o, DoStep) else o for o in super().orders()
        )


class Repeating(TaskHistory):
    """Does not know finished steps."""

    def apply(self, event: Event) -> None:
        if isinstance(event.detail, StepFinished):
            self.length = event.index
        else:
            super().apply(event)


class Content(TaskHistory):
    """Does not know that a result was stale."""

    def orders(self) -> tuple[Order, ...]:
        return tuple(replace(o, redo=0) if isinstance(o, DoStep) else o for o in super().orders())


class Shuffling(TaskHistory):
    """Begins with the last step of those that may begin."""

    def orders(self) -> tuple[Order, ...]:
        return super().orders()[::-1]


class Restless(TaskHistory):
    """Goes on after the end."""

    def orders(self) -> tuple[Order, ...]:
        terminal, self.terminal = self.terminal, None
        orders = super().orders()
        self.terminal = terminal
        return orders


class Waiting(TaskHistory):
    """Begins nothing before the plan is whole."""

    def orders(self) -> tuple[Order, ...]:
        return tuple(o for o in super().orders() if self.plan or not isinstance(o, DoStep))


class Replanning(TaskHistory):
    """Has the whole goal planned again, whatever is sealed."""

    def orders(self) -> tuple[Order, ...]:
        return tuple(MakePlan() if isinstance(o, MakePlan) else o for o in super().orders())


@pytest.mark.parametrize(
    "changed",
    [
        Eager,
        Forgetful,
        Uncounting,
        Repeating,
        Content,
        Shuffling,
        Restless,
        Waiting,
        Replanning,
    ],
)
def test_a_change_of_what_is_done_next_is_noticed(changed: type[TaskHistory]) -> None:
    assert any(differs(name, changed) for name in names())


def differs(name: str, changed: type[TaskHistory]) -> bool:
    entries = recorded(name)
    try:
        return replayed((entry.stored for entry in entries), changed) != entries
    except WireError:
        return True


@pytest.mark.parametrize(
    "change",
    [
        lambda event: replace(event, step="another"),
        lambda event: replace(event, index=event.index + 1),
        lambda event: replace(event, at_s=event.at_s + 1),
        lambda event: replace(event, detail=replace(event.detail, attempt=7)),
    ],
)
def test_an_entry_that_is_read_as_something_else_is_noticed(
    change: Callable[[Event], Event],
) -> None:
    entries = recorded("one_step")
    stored = [entry.stored for entry in entries]
    [started] = events_of([stored[2]], CODEC)
    assert stored_event(started) == stored[2]
    stored[2] = stored_event(change(started))
    try:
        assert replayed(stored) != entries
    except (WireError, KeyError):
        return
