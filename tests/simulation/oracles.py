"""What must hold after a run: the oracles of `docs/reliability.md` that only show at the end."""

from __future__ import annotations

from cluster.kernel.events import Answered, Event, shown
from cluster.kernel.tasks.history import TaskHistory
from cluster.runtime.tasks.task_journal import events_of
from tests.simulation.hedging import HedgedSteps
from tests.simulation.ledger import CANCEL_S, CODEC, View
from tests.simulation.world import World


def judge(world: World, *, has_calmed: bool) -> None:
    """Note every violation that can be seen at the end of a run."""
    ledger = world.ledger
    for view in ledger.views:
        _one_end(world, view)
        _same_story(world, view)
        _prompt_cancel(world, view)
        HedgedSteps(view, ledger).judge()
    for task, events in ledger.journals.items():
        _read_back(world, task, events)
    if world.has_feeds:
        world.feeds.judge(has_calmed=has_calmed)
    if world.means.is_on:
        world.means.books.judge()
    for failure in world.loop.failures:
        ledger.violate("O7", failure)


def _one_end(world: World, view: View) -> None:
    """O1: an accepted task has one terminal event, and its driver saw that one.

    Only one correction and what it took may follow.
    """
    ledger = world.ledger
    ends = [event for event in ledger.journals.get(view.task, []) if event.is_terminal]
    if len(ends) > 1:
        ledger.violate("O1", f"task {view.task} has {len(ends)} terminal events")
    seen = [event for event in view.events if event.is_terminal]
    if len(seen) > 1:
        ledger.violate("O1", f"the driver of {view.task} saw {len(seen)} terminal events")
    late = view.events[view.events.index(seen[0]) + 1 :] if seen else []
    if [event.kind for event in late if event.kind != "spent"] not in ([], ["corrected"]):
        ledger.violate("O1", f"the driver of {view.task} saw {[each.kind for each in late]} late")
    if seen and seen[0].index and (not ends or _plain(seen[0]) != _plain(ends[0])):
        ledger.violate("O1", f"the driver of {view.task} saw an end that is not in the journal")
    if seen and isinstance(seen[0].detail, Answered) and not ends:
        ledger.violate("O1", f"the driver of {view.task} saw an answer that was not journaled")


def _same_story(world: World, view: View) -> None:
    """O5: what the driver saw of the journal is its beginning, in order, without repeats."""
    durable = [event for event in view.events if event.index]
    journal = world.ledger.journals.get(view.task, [])[: len(durable)]
    if [_plain(event) for event in durable] != [_plain(event) for event in journal]:
        numbers = [event.index for event in durable]
        world.ledger.violate("O5", f"the driver of {view.task} saw the events {numbers}")


def _prompt_cancel(world: World, view: View) -> None:
    """O6: where nothing but models fails, a cancelled task ends at once."""
    if not world.faults.is_gentle or view.cancelled_at is None:
        return
    late_s = view.ended_at - view.cancelled_at
    if late_s > CANCEL_S:
        world.ledger.violate("O6", f"task {view.task} ended {late_s:.2f} s after its cancel")


def _plain(event: Event) -> object:
    """Return an event without what its driver isn't told."""
    return (event.index, event.step, shown(event).detail)


def _read_back(world: World, task: str, events: list[Event]) -> None:
    """O5: the journal in the store is what was appended, and folds to the same state."""
    kept = [entry for _, entry in world.server.journal._tasks[task].entries]  # type: ignore[index]
    if events_of(kept, CODEC) != events:
        world.ledger.violate("O5", f"the journal of {task} is not what was appended to it")
        return
    again = TaskHistory()
    for event in events:
        again.apply(event)
    if again != world.ledger.histories[task]:  # type: ignore[index]
        world.ledger.violate("O5", f"the journal of {task} folds to another state")
