"""Which faults have come in which states of a streamed plan, and which never did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cluster.kernel.events import StepFinished, StepStarted
from cluster.kernel.ids import TaskId
from tests.simulation.ledger import Ledger

STATES = ("unwritten", "sealed", "running", "ended", "adopted", "whole", "getting ready")
"""Of a plan: no step is sealed; some are, and none has begun; one runs; one has ended; a part of it
was sealed by an earlier owner; all of it is known, and steps are open; somebody gets ready."""

APART = ("frame", "append", "claim", "put_once", "prepare")
"""Boundaries at which a crash is told apart from those at other calls."""


def kind_of(fault: str) -> str:
    """Return the name that a fault is counted under."""
    if fault.startswith("crash ") and not any(each in fault for each in APART):
        return "crash at another call"
    return fault


def plan_states(ledger: Ledger) -> Iterator[str]:
    """Yield the states that plans of open tasks are in."""
    for task, history in ledger.histories.items():
        if history.terminal is not None:
            continue
        if any(n for (_, whose), n in ledger.getting_ready.items() if whose == task):
            yield "getting ready"
        yield "whole" if history.plan is not None else _streamed(ledger, task)
        if history.plan is None and history.sealed and ledger.is_adopted(task):
            yield "adopted"


def _streamed(ledger: Ledger, task: TaskId) -> str:
    details = [event.detail for event in ledger.journals.get(task, ())]
    if any(isinstance(each, StepFinished) for each in details):
        return "ended"
    if any(isinstance(each, StepStarted) for each in details):
        return "running"
    return "sealed" if ledger.histories[task].sealed else "unwritten"


def table(coverage: Mapping[str, int], faults: Mapping[str, int]) -> Iterator[str]:
    """Yield the lines of a table: how often each fault came in each state."""
    yield f"{'':38}" + "".join(f"{state:>15}" for state in STATES)
    never: list[str] = []
    for fault in sorted(set(map(kind_of, faults))):
        counts = [coverage.get(f"{fault} | {state}", 0) for state in STATES]
        yield f"  {fault:36}" + "".join(f"{count:15d}" for count in counts)
        never += [f"{fault} | {state}" for state, n in zip(STATES, counts, strict=True) if not n]
    yield f"  never: {'; '.join(never) or 'nothing'}"
