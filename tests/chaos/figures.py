"""What a cell of a campaign counted, how cells add up, and the table and file made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

NOTES_MAX = 20

VIOLATIONS = (
    "lost",
    "resurrected",
    "diverged",
    "applied_twice",
    "out_of_order",
    "corrupt",
    "given_up",
    "stuck",
    "ended_by_itself",
    "without_end",
    "ended_twice",
    "run_again",
    "leaked",
)
"""The counters that must be zero."""


@dataclass(slots=True)
class Figures:
    """Counters of one scenario."""

    scenario: str
    seed: int
    commit: str = ""
    runs: int = 0
    """Injections that took place."""
    acked: int = 0
    lost: int = 0
    resurrected: int = 0
    """Sources that are there although their removal, or a later put, was acknowledged."""
    diverged: int = 0
    """What caches have otherwise than the store."""
    applied_twice: int = 0
    out_of_order: int = 0
    corrupt: int = 0
    given_up: int = 0
    """Messages whose sender was told that they could not be delivered."""
    stuck: int = 0
    ended_by_itself: int = 0
    tasks: int = 0
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    refused: int = 0
    """Submissions that found no Manager or store; no task came of them."""
    late: int = 0
    """Tasks whose driver gave up at its deadline, at the moment its journal got another end."""
    orphaned: int = 0
    """Tasks whose driver was killed: only their journals tell how they ended."""
    without_end: int = 0
    ended_twice: int = 0
    run_again: int = 0
    """Steps that were begun although their end was recorded."""
    leaked: int = 0
    redeliveries: int = 0
    refused_again: int = 0
    """Effects of a later incarnation that a store with keys refuses."""
    fenced: int = 0
    adoptions: int = 0
    detect_s: list[float] = field(default_factory=list)
    recover_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a sentence about what went wrong, as long as there are few."""
        if len(self.notes) < NOTES_MAX:
            self.notes.append(text)

    @property
    def violations(self) -> int:
        """How often a promise was broken."""
        return sum(getattr(self, name) for name in VIOLATIONS)

    def add(self, other: Figures) -> None:
        """Count another cell of the same scenario in."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int) and each.name != "seed":
                setattr(self, each.name, value + getattr(other, each.name))
        self.detect_s += other.detect_s
        self.recover_s += other.recover_s
        for note in other.notes:
            self.note(note)


def merged(cells: Iterable[Figures]) -> list[Figures]:
    """Return one sum a scenario, in the order in which scenarios were first seen."""
    sums: dict[str, Figures] = {}
    for cell in cells:
        sums.setdefault(cell.scenario, Figures(cell.scenario, cell.seed, cell.commit)).add(cell)
    return list(sums.values())


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that is not below that share of all values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return n, p50, p99 and the maximum of seconds."""
    if not values:
        return {}
    return {
        "n": len(values),
        "p50": round(percentile(values, 0.5) or 0.0, 4),
        "p99": round(percentile(values, 0.99) or 0.0, 4),
        "max": round(max(values), 4),
    }


def summary(figures: Figures) -> dict[str, Any]:
    """Return a scenario as it goes into the report."""
    found = asdict(figures)
    return {
        **found,
        "violations": figures.violations,
        "detect_s": spread(figures.detect_s),
        "recover_s": spread(figures.recover_s),
    }


def append_cell(path: Path, figures: Figures) -> None:
    """Add a finished cell to the file that a campaign goes on from."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(figures)) + "\n")


def read_cells(path: Path) -> list[Figures]:
    """Return the cells of a file, none where there is no file."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Figures(**json.loads(line)) for line in lines]


def table(sums: Sequence[Figures]) -> str:
    """Return the scenarios as lines of text; what must be zero and isn't is named at the end."""
    head = (
        f"{'scenario':<34}{'runs':>6}{'acked':>9}{'tasks':>7}{'failed':>7}{'broken':>7}"
        f"{'again':>8}{'fenced':>7}{'adopt':>6}  recover p50/p99/max"
    )
    lines = [head, "-" * len(head)]
    for each in sums:
        times = spread(each.recover_s)
        shown = "/".join(f"{times[name]:.2f}" for name in ("p50", "p99", "max")) if times else "-"
        lines.append(
            f"{each.scenario:<34}{each.runs:>6}{each.acked:>9}{each.tasks:>7}{each.failed:>7}"
            f"{each.violations:>7}"
            f"{each.redeliveries:>8}{each.fenced:>7}{each.adoptions:>6}  {shown}"
        )
        broken = {name: getattr(each, name) for name in VIOLATIONS if getattr(each, name)}
        if broken:
            lines.append("    " + ", ".join(f"{name} {count}" for name, count in broken.items()))
            lines += [f"    {note}" for note in each.notes[:5]]
    return "\n".join(lines)
