"""Judges the task campaign from the log of its processes and the journals in the store.

O1: every task that was submitted has one end, the driver's and the journal's being the same. O2: no
step is begun again once its end is recorded; effects of a step beyond the first are what a store
with keys refuses. Recovery: from a death to the moment at which what it interrupted goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cluster.kernel.errors import ClusterError
from cluster.kernel.events import Event, PlanReady, StepFinished
from cluster.kernel.tasks.history import TaskHistory
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.chaos.event_log import Record
from tests.chaos.figures import Figures

GRACE_S = 6.0
"""How long before its driver's deadline a task may have ended that its driver was not told of: a
link may be cut for three leases just then."""
GONE_ON = frozenset({"begun", "kept", "appended"})
"""What shows that somebody works on a step or a task again."""


def judge_ends(records: Iterable[Record], figures: Figures) -> dict[str, Record | None]:
    """Count the ends of tasks as their driver saw them; return them by task.

    A task whose driver was killed has None for its end.
    """
    submitted: dict[str, Record] = {}
    last: dict[str, int] = {}
    ended: dict[str, Record] = {}
    for record in records:
        if record["what"] == "submitted":
            submitted[record["task"]] = record
        elif record["what"] == "not submitted":
            figures.refused += 1
        elif record["what"] == "ready":
            last[record["agent"]] = record["pid"]
        elif record["what"] == "ended":
            if record["task"] in ended or record["ends"] != 1:
                figures.ended_twice += 1
            ended[record["task"]] = record
    for task, end in ended.items():
        end["after_s"] = end["t"] - submitted[task]["t"] if task in submitted else 0.0
    figures.tasks += len(submitted)
    kinds = Counter(record["kind"] for record in ended.values())
    figures.answered += kinds["answered"]
    figures.failed += kinds["failed"]
    figures.cancelled += kinds["cancelled"]
    killed = {task for task, r in submitted.items() if last.get(r["agent"], r["pid"]) != r["pid"]}
    orphans = killed - ended.keys()
    figures.orphaned += len(orphans)
    without = submitted.keys() - ended.keys() - orphans
    figures.without_end += len(without)
    for task in without:
        figures.note(f"task {task} has no end")
    for reason, count in Counter(_reason(r) for r in ended.values() if r["why"]).items():
        figures.note(f"{count} failed: {reason}")
    return {**ended, **dict.fromkeys(orphans)}


def _reason(record: Record) -> str:
    return " ".join("#" if len(word) == 32 else word for word in str(record["why"]).split())


def judge_steps(records: Iterable[Record], figures: Figures) -> None:
    """No step begins when its result is recorded: at the agent, or in the journal."""
    kept: dict[tuple[str, str], float] = {}
    effects: Counter[tuple[str, str]] = Counter()
    begun: Counter[tuple[str, str]] = Counter()
    for record in sorted(records, key=lambda each: float(each["t"])):
        if "step" not in record:
            continue
        step = (record["task"], record["step"])
        if record["what"] == "kept":
            kept.setdefault(step, record["t"])
        elif record["what"] == "effect":
            effects[step] += 1
        elif record["what"] == "begun" and step not in kept:
            begun[step] += 1
        elif record["what"] == "begun":
            figures.run_again += 1
            late_s = record["t"] - kept[step]
            figures.note(
                f"step {step} was begun by {record['agent']} {late_s:.3f} s after its record,"
                f" attempt {record['attempt']}"
            )
    figures.refused_again += sum(count - 1 for count in effects.values())
    figures.redeliveries += sum(count - 1 for count in begun.values())


def count(records: Iterable[Record], figures: Figures) -> None:
    last: dict[int, Counter[str]] = {}
    for record in records:
        if record["what"] == "counts":
            numbers = {key: value for key, value in record.items() if isinstance(value, int)}
            last[record["pid"]] = Counter(numbers)
        elif record["what"] in {"fenced", "fenced write", "refused"}:
            figures.fenced += 1
        elif record["what"] == "drained" and record["left"]:
            figures.stuck += 1
            figures.note(f"the driver still waits for {record['left']} tasks")
    counted: Counter[str] = sum(last.values(), Counter())
    figures.adoptions += counted["adopted"]
    figures.redeliveries += counted["redelivered"] + counted["duplicates"]
    figures.fenced += counted["stale"] + counted["fenced_runs"]


def judge_journal(
    task: str, end: Record | None, entries: tuple[bytes, ...], figures: Figures
) -> None:
    """Check that a journal is whole, has one end, and that its driver saw the same."""
    if not entries:
        if end is not None and end["kind"] == "answered":
            figures.without_end += 1
            figures.note(f"task {task} was answered and has no journal")
        return
    try:
        events = events_of(entries, MessageCodec())
        history = TaskHistory()
        for event in events:
            history.apply(event)
    except ClusterError as error:
        figures.ended_twice += 1
        figures.note(f"the journal of {task} can't be folded: {error}")
        return
    terminal = [event for event in events if event.is_terminal]
    if len(terminal) != 1 or events[-1] is not terminal[0]:
        figures.ended_twice += len(terminal) > 1
        figures.without_end += not terminal
        figures.note(f"the journal of {task} has {len(terminal)} ends")
        return
    if end is not None and terminal[0].kind != end["kind"]:
        if _is_late(end, terminal[0]):
            figures.late += 1
            return
        figures.ended_twice += 1
        own, told = terminal[0].kind, end["kind"]
        figures.note(f"{task} ended {own} in its journal, {told} for its driver")
    _judge_facts(task, events, figures)


def _is_late(end: Record, terminal: Event) -> bool:
    """Say whether a driver gave up at its deadline, and the journal got its end about then."""
    is_deadline = end["kind"] == "failed" and str(end["why"]).startswith("deadline:")
    return is_deadline and terminal.at_s > end["after_s"] - GRACE_S


def _judge_facts(task: str, events: list[Event], figures: Figures) -> None:
    plans = sum(isinstance(event.detail, PlanReady) for event in events)
    finished = Counter(event.step for event in events if isinstance(event.detail, StepFinished))
    if plans > 1 or any(count > 1 for count in finished.values()):
        figures.run_again += 1
        figures.note(f"the journal of {task} has a fact twice: {plans} plans, {dict(finished)}")


def recovery_s(
    records: Iterable[Record], pid: int, died: float, deaths: Sequence[float] = ()
) -> list[float]:
    """Return, for all that a dead process had under way, how long until somebody went on with it.

    A step's is until it is begun again or its record is found, a task's until its next entry. What
    nobody had to go on with (its task had ended) doesn't count. Where the agent died again before
    that (``deaths`` has them all), it is from the last death.
    """
    under_way: set[tuple[str, ...]] = set()
    after: dict[tuple[str, ...], float] = {}
    for record in records:
        if record["what"] not in GONE_ON:
            continue
        unit = (record["task"], record["step"]) if "step" in record else (record["task"],)
        if record["pid"] == pid:
            is_over = record["what"] == "kept" or record.get("is_final", False)
            (under_way.discard if is_over else under_way.add)(unit)
        elif record["t"] >= died:
            after.setdefault(unit, record["t"])
    found = [after[unit] for unit in under_way if unit in after]
    return [at - max(each for each in (died, *deaths) if each <= at) for at in found]
