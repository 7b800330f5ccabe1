"""Judges the state campaign: documents by what was recorded, and what everybody sees by the log.

S1: what was acknowledged is there: the edits of the attempt whose result is recorded, and those
that a person was told are durable. S2: nothing counts twice, and nothing of an attempt that does
not count is there. S3: all processes see the same bytes, those of the whole log.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.kernel.state.folding import Fold
from tests.chaos.event_log import Record
from tests.chaos.figures import Figures
from tests.chaos.state_board import (
    LASTING,
    Mark,
    Sight,
    author_of,
    fault_of,
    items_of,
    seen_path,
)

_LASTING = frozenset(place.name for place in LASTING)


@dataclass(slots=True)
class Wanted:
    """What the documents are to have."""

    acked: dict[str, Mark] = field(default_factory=dict)
    possible: dict[str, Mark] = field(default_factory=dict)
    """What a person wanted, and may have been killed before they were told of it."""
    generations: dict[str, int] = field(default_factory=dict)
    """Of each step's recorded attempt."""


def wanted_by(results: Mapping[str, Sequence[Mark]], records: Iterable[Record]) -> Wanted:
    """Return what is wanted, by the recorded results of steps and the notes of persons."""
    wanted = Wanted()
    for step, marks in results.items():
        wanted.acked.update({mark.id: mark for mark in marks})
        wanted.generations[step] = max((author_of(mark.id)[1] for mark in marks), default=0)
    for record in records:
        if record["what"] == "wanted":
            mark = Mark.from_plain(record["mark"])
            wanted.possible[mark.id] = mark
        elif record["what"] == "durable":
            wanted.acked[record["mark"]] = wanted.possible[record["mark"]]
    return wanted


def judge_document(name: str, fold: Fold, wanted: Wanted, figures: Figures) -> None:
    """Count what a document has that it shouldn't, or hasn't."""
    fault = fault_of(fold.fields)
    if fault:
        figures.applied_twice += 1
        figures.note(f"{name}: {fault}")
    items = Counter(id_ for id_, _ in items_of(fold.fields))
    for id_ in items:
        step, generation = author_of(id_)
        if generation and wanted.generations.get(step) != generation:
            figures.resurrected += 1
            counts = wanted.generations.get(step)
            figures.note(f"{name} has {id_}, and attempt {counts} counts")
        elif id_ not in wanted.acked and id_ not in wanted.possible:
            figures.corrupt += 1
            figures.note(f"{name} has {id_}, which nobody wanted")
    if name in _LASTING:
        own = [mark for mark in wanted.acked.values() if mark.document == name]
        _judge_acked(own, fold, items, figures)


def _judge_acked(own: Sequence[Mark], fold: Fold, items: Counter[str], figures: Figures) -> None:
    figures.acked += len(own)
    texts = _texts(fold)
    facts, tags = fold.fields.get("facts") or {}, fold.fields.get("tags") or []
    assert isinstance(facts, dict)
    assert isinstance(tags, list)
    places: dict[str, Any] = {"facts": facts, "tags": set(map(str, tags)), "draft": texts}
    for mark in own:
        where = [name for name in mark.fields if name in places and mark.id not in places[name]]
        if not items[mark.id]:
            where = ["said", *where]
        if where:
            figures.lost += 1
            figures.note(f"{mark.id} is not in {', '.join(where)} of {mark.document}")


def _texts(fold: Fold) -> frozenset[str]:
    """Return the lines of a document's text, and of what is in conflict with it."""
    texts = [fold.fields.get("draft") or ""]
    for conflict in fold.conflicts:
        if conflict.field == "draft":
            texts += [str(sibling.value) for sibling in conflict.siblings]
    return frozenset(line for text in texts for line in str(text).split("\n"))


def judge_recorded(
    results: Mapping[str, Sequence[Mark]], records: Iterable[Record], figures: Figures
) -> None:
    """What a worker was told is recorded is the result of its step."""
    for record in records:
        if record["what"] == "recorded":
            step = record["of"]
            found = {author_of(mark.id)[1] for mark in results.get(step, ())}
            is_own = found <= {record["generation"]} and step in results
            figures.lost += not is_own
            if not is_own:
                figures.note(f"{step} was recorded by attempt {record['generation']}: {found}")


def judge_sights(
    folder: Path, agents: Sequence[str], wanted: Mapping[str, Sight], figures: Figures
) -> None:
    """All processes see every document as the log has it."""
    for agent in agents:
        path = seen_path(folder, agent)
        seen = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        for name, sight in wanted.items():
            if seen.get(name) != sight:
                figures.diverged += 1
                figures.note(f"{agent} sees {name} at {seen.get(name)}, the log is at {sight}")


def count_notes(records: Iterable[Record], figures: Figures) -> None:
    """Count what the processes noted while they ran."""
    attempts: defaultdict[str, int] = defaultdict(int)
    for record in records:
        match record["what"]:
            case "begun":
                attempts[record["of"]] += 1
            case "overtaken":
                figures.fenced += 1
            case "not edited" | "not done":
                figures.refused += 1
            case "settled":
                figures.detect_s.append(record["took_s"])
            case "torn":
                figures.corrupt += 1
                figures.note(f"{record['agent']} saw in {record['name']}: {record['fault']}")
            case "went back":
                figures.out_of_order += 1
                figures.note(
                    f"{record['agent']}: {record['name']} went from {record['since']} to"
                    f" {record['to']}"
                )
            case "broken":
                figures.given_up += 1
                figures.note(f"{record['agent']}: {record['error']}")
    figures.redeliveries += sum(count - 1 for count in attempts.values())
