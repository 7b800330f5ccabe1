"""Whether a step's result still stands: what it was made from may have changed meanwhile. Pure.

`cluster.runtime.tasks.step_run` asks when a result has arrived, with what
`cluster.runtime.tasks.freshness` has found out, and does what is said here before the result is
journaled. A field that the step has only written merges with what others write, by the rule that
its type declares; one that it has read, and a document that it cites, must be the same still.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from cluster.kernel.ids import StepId
from cluster.kernel.reads import DocumentChange, Saw

REDOS_MAX = 1
"""So often a step is done again since its result was stale: what changes all the time would keep a
task from ever ending."""


@dataclass(frozen=True, slots=True)
class StateNews:
    """What others have done to a document of shared state since a step has read it."""

    document: str
    from_version: int
    to_version: int
    changed: tuple[str, ...] = ()
    """Of the fields that were read, those that are others now."""
    written: frozenset[str] = frozenset()
    """Fields that the step has written itself."""
    merged: tuple[str, ...] = ()
    """Of these, those in which that was merged with what others wrote at the same time."""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What has become of what a step saw, but for what it has done itself."""

    states: tuple[StateNews, ...] = ()
    sources: tuple[DocumentChange, ...] = ()
    """Cited sources that have another document now, or none."""
    unknown: tuple[str, ...] = ()
    """Documents and namespaces of which it could not be found out."""
    results: tuple[StepId, ...] = ()
    """Steps that it needs and that have ended since it began without them."""


NO_NEWS = News()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The result stands."""

    merged: tuple[DocumentChange, ...] = ()
    degraded: tuple[str, ...] = ()
    """What is to be said of it, where it is stale or may be."""


@dataclass(frozen=True, slots=True)
class Redo:
    """The result does not stand: the step is to be done again."""

    changes: tuple[DocumentChange, ...]
    reason: str
    results: tuple[StepId, ...] = ()
    """Steps whose results it is to have this time."""


Verdict: TypeAlias = Accepted | Redo


def verdict(step: StepId, saw: Saw, news: News, redo: int, *, has_time: bool = True) -> Verdict:
    """Return what is to be done about a result.

    Args:
        step: whose it is.
        saw: what it was made from.
        news: what has become of that.
        redo: how often the step was done again already.
        has_time: whether the step could be done again before its deadline.
    """
    changes = _changes(saw, news)
    if (changes or news.results) and redo < REDOS_MAX and has_time:
        return Redo(changes, _reason(changes, news.results), news.results)
    degraded = []
    if news.results:
        names = ", ".join(news.results)
        degraded.append(f"Step {step} was done without the results of {names}.")
    if changes:
        degraded.append(f"What step {step} was made from has changed since: {_told(changes)}.")
    if news.unknown:
        names = ", ".join(news.unknown)
        degraded.append(f"What step {step} was made from may have changed since: {names}.")
    if not saw.is_whole:
        degraded.append(f"Step {step} has read too much for all of it to be watched for changes.")
    return Accepted(_merged(news), tuple(degraded))


def is_fresh(saw: Saw | None) -> bool:
    """Say whether nothing was read that can have changed, so that nobody need be asked."""
    return saw is None or saw.is_empty


def _changes(saw: Saw, news: News) -> tuple[DocumentChange, ...]:
    """Return the changes that matter."""
    read = {state.document: state.fields for state in saw.states}
    changes = []
    for state in news.states:
        own = frozenset[str]() if saw.is_declared else state.written
        fields = tuple([name for name in state.changed if name not in own])
        if state.is_gone and read.get(state.document):
            fields = tuple([each.name for each in read[state.document]])
        if fields:
            changes.append(_change(state, fields, is_gone=state.is_gone))
    return (*changes, *news.sources)


def _merged(news: News) -> tuple[DocumentChange, ...]:
    return tuple([_change(state, state.merged) for state in news.states if state.merged])


def _change(state: StateNews, fields: tuple[str, ...], *, is_gone: bool = False) -> DocumentChange:
    return DocumentChange(state.document, fields, state.from_version, state.to_version, is_gone)


def _reason(changes: tuple[DocumentChange, ...], results: tuple[StepId, ...]) -> str:
    reasons = []
    if results:
        reasons.append(f"it had begun without the results of {', '.join(results)}")
    if changes:
        reasons.append(f"what it had read has changed: {_told(changes)}")
    return "; ".join(reasons)


def _told(changes: Iterable[DocumentChange]) -> str:
    """Return changes for people to read."""
    return "; ".join(
        f"{', '.join(each.places)} of {each.document} {_became(each)}" for each in changes
    )


def _became(change: DocumentChange) -> str:
    if change.is_gone:
        return "is gone"
    return f"(version {change.from_version} to {change.to_version})"
