"""What others have done to a document of shared state since a step has read it. Pure.

Told by the fold of its log: a field has changed where it would be another one now even if the step
had written nothing. So an edit that was taken back meanwhile, or that said what was there already,
is no change. Called by `cluster.runtime.tasks.freshness`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from cluster.kernel.reads import SeenState
from cluster.kernel.state.attempts import Fate
from cluster.kernel.state.conflicts import Conflict
from cluster.kernel.state.edits import Edit
from cluster.kernel.state.folded import Folded
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.stamps import AttemptKey, Writer
from cluster.kernel.state.values import ABSENT, Slot, is_same
from cluster.kernel.tasks.staleness import StateNews


def state_news(seen: SeenState, fold: Fold, own: AttemptKey, *, is_gone: bool) -> StateNews:
    """Return the news of a document.

    Args:
        seen: what the step has read of it.
        fold: its log.
        own: the step.
        is_gone: whether it has been deleted.
    """
    if is_gone or fold.version < seen.version:
        # One that was gone when it was read, or that nobody had written, is as it was.
        is_gone = seen.version > 0
        return StateNews(seen.document, seen.version, fold.version, is_gone=is_gone)
    if fold.version == seen.version:
        return StateNews(seen.document, seen.version, fold.version)

    @cache
    def others(up_to: int) -> Folded:
        return fold.without(own, up_to)

    now = others(fold.version)
    changed = [
        each.name
        for each in seen.fields
        if _is_sealed_since(fold.snapshot, each.name, each.version, own)
        or not _is_equal(others(each.version), now, each.name)
    ]
    edits = list(_edits(fold))
    written = {name for edit in edits if edit[1].id.attempt_key == own for name in edit[1].fields}
    written |= {name for (name, _), by in fold.snapshot.writers.items() if _step_of(by) == own}
    disputed = {each.field for each in fold.conflicts}
    merged = sorted({name for name in _merged(edits, own) if name not in disputed})
    return StateNews(
        seen.document,
        seen.version,
        fold.version,
        tuple(changed),
        frozenset(written),
        tuple(merged),
    )


def _is_sealed_since(snapshot: Folded, name: str, version: int, own: AttemptKey) -> bool:
    """Say whether others have written a field since, as far as its log was shortened meanwhile."""
    return any(
        field == name and by.version > version and _step_of(by) != own
        for (field, _), by in snapshot.writers.items()
    )


def _step_of(writer: Writer) -> AttemptKey:
    return writer.task, writer.step


def _is_equal(before: Folded, now: Folded, name: str) -> bool:
    one, other = _slot(before, name), _slot(now, name)
    if one is ABSENT or other is ABSENT:
        if one is not other:
            return False
    elif one is not other and not is_same(one, other):
        return False
    return _disputes(before, name) == _disputes(now, name)


def _slot(folded: Folded, name: str) -> Slot:
    return folded.fields.get(name, ABSENT)


def _disputes(folded: Folded, name: str) -> list[Conflict]:
    return [each for each in folded.conflicts.values() if each.field == name]


def _edits(fold: Fold) -> Iterator[tuple[int, Edit]]:
    """Return the edits that count, with their versions, as far as the log was not shortened."""
    for logged in fold.history:
        if logged.fate is Fate.COUNTS and isinstance(logged.entry.body, Edit):
            yield logged.entry.version, logged.entry.body


def _merged(edits: list[tuple[int, Edit]], own: AttemptKey) -> Iterator[str]:
    """Return fields that the step and others have edited, one of them without seeing the other."""
    for version, edit in edits:
        if edit.id.attempt_key != own:
            continue
        for at, other in edits:
            if other.id.attempt_key == own:
                continue
            is_unseen = edit.base_version < at if at < version else other.base_version < version
            if is_unseen:
                yield from edit.fields.keys() & other.fields.keys()
