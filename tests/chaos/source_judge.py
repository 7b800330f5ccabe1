"""Judges what the store has of each source of the knowledge campaign by what the writers noted."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos.figures import Figures
from tests.chaos.knowledge_ledger import Change, by_source


def judge_sources(
    changes: Mapping[str, Change], there: Mapping[tuple[str, str], str], figures: Figures
) -> None:
    """Count what the store has otherwise than the writers' notes allow.

    Args:
        changes: all there were, by their ids.
        there: of each namespace and source that is put, the change that has put it.
        figures: where it is counted.
    """
    figures.acked += sum(each.is_acked for each in changes.values())
    figures.refused_again += sum(each.is_refused for each in changes.values())
    made = by_source(changes)
    for source, change in there.items():
        if change not in made.get(source, {}):
            figures.resurrected += 1
            figures.note(f"{source} has {change}, which nobody wrote there")
    for source, of_source in made.items():
        _judge_source(source, of_source, there.get(source), figures)


def _judge_source(
    source: tuple[str, str], made: Mapping[str, Change], now: str | None, figures: Figures
) -> None:
    """One of the changes that nothing has superseded must be what is there."""
    if not any(each.is_acked for each in made.values()):
        return
    possible = {
        change: each
        for change, each in made.items()
        if not each.is_refused and not any(each.is_superseded(other) for other in made.values())
    }
    if now in possible:
        return
    if now is None:
        if all(each.is_put for each in possible.values()):
            figures.lost += 1
            figures.note(f"{source} is not there, and {sorted(possible)} was acknowledged")
        return
    if any(not each.is_put for each in possible.values()):
        figures.resurrected += 1
    else:
        figures.lost += 1
    figures.note(f"{source} has {now} instead of one of {sorted(possible)}")
