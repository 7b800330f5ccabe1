"""Reading a plan while it streams: what it costs over parsing all of it again with each piece.

Two plans of 16 KiB in 4,000 pieces: twelve steps with long instructions, sixty short ones. The
rival parses what has come so far with jiter (a library that the `openai` client brings) whenever a
piece comes, incomplete as it is. Beside our reader of drafts: all of the Manager's reader, which
makes sound steps of the drafts and says which are sealed.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from agents.models.simulated.script import Line
from agents.planning.plan_reader import PlanReader
from agents.planning.plan_text import PlanText
from benchmarks.harness import Figure, Goal, not_run, ratio_figure
from cluster.kernel.roles import RESEARCHER
from cluster.kernel.vocabulary import Role

BYTES, PIECES = 16 * 1024, 4_000
VS_JITER, GROWTH = Goal("<=", 0.05), Goal("<=", 1.2)
ROLES = (Role(RESEARCHER, "Answers a question."),)
GOAL = "Write a report on the market."
COMPARED = (
    ("json.vs_jiter", "text", "jiter"),
    ("json.vs_jiter_strings", "text", "jiter_strings"),
    ("json.reader_vs_jiter", "reader", "jiter"),
)
"""Name, our side and theirs."""
DOCUMENTS = {"12 steps": 12, "60 steps": 60}

Feed = Callable[[str], object]


def plan_pieces(steps: int) -> list[str]:
    """Return a plan of so many steps, each instruction as long as the plan's size allows."""
    planned = [
        {"id": f"r{number}", "agent": RESEARCHER, "instruction": f"Look at {number}: ", "needs": []}
        for number in range(1, steps + 1)
    ]
    missing = BYTES - len(json.dumps({"steps": planned}))
    for number, step in enumerate(planned):
        share = missing * (number + 1) // steps - missing * number // steps
        step["instruction"] = f"{step['instruction']}{_words(number, share)}"
    return Line(json.dumps({"steps": planned}), PIECES).pieces()


def _words(number: int, size: int) -> str:
    return (f"what is known of number {number} and where it stands; " * size)[:size]


def feed_jiter(partial_mode: bool | str = True) -> Feed:  # noqa: FBT001, FBT002 - jiter's own
    """Return what parses all that has come with each piece, without the text that is cut off."""
    jiter: Any = importlib.import_module("jiter")
    text = bytearray()

    def feed(piece: str) -> object:
        text.extend(piece.encode())
        return jiter.from_json(bytes(text), partial_mode=partial_mode)

    return feed


def feed_jiter_strings() -> Feed:
    """Return the same that gives the text that is cut off as well."""
    return feed_jiter("trailing-strings")


def feed_reader() -> Feed:
    """Return what takes a piece by the Manager's reader, and seals what can be."""
    reader = PlanReader(ROLES, GOAL)

    def feed(piece: str) -> object:
        reader.feed(piece)
        return reader.seal()

    return feed


def feed_text() -> Feed:
    """Return what takes a piece by the reader of drafts."""
    return PlanText().feed


def tenths_s(new_feed: Callable[[], Feed], pieces: list[str]) -> list[float]:
    """Return the seconds that each tenth of the pieces took."""
    feed, taken = new_feed(), []
    tenth = len(pieces) // 10
    for start in range(0, len(pieces), tenth):
        part = pieces[start : start + tenth]
        started = time.perf_counter()
        for piece in part:
            feed(piece)
        taken.append(time.perf_counter() - started)
    return taken


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `json`."""
    sides: dict[str, Callable[[], Feed]] = {
        "text": feed_text,
        "reader": feed_reader,
    }
    has_jiter = find_spec("jiter") is not None
    if has_jiter:
        sides |= {"jiter": feed_jiter, "jiter_strings": feed_jiter_strings}
    figures: list[Figure] = []
    for document, steps in DOCUMENTS.items():
        pieces = plan_pieces(steps)
        taken: dict[str, list[list[float]]] = {side: [] for side in sides}
        for number in range(6 if is_quick else 16):
            for side, new_feed in sides.items():
                tenths = tenths_s(new_feed, pieces)
                if number:  # the first round warms up
                    taken[side].append(tenths)
        figures += _figures(document, taken)
    if not has_jiter:
        figures.append(not_run("json.vs_jiter", str(VS_JITER), "pip install jiter"))
    return _worst_named(figures)


def _figures(document: str, taken: dict[str, list[list[float]]]) -> list[Figure]:
    slug = document.replace(" ", "_")
    totals = {side: [sum(tenths) for tenths in rounds] for side, rounds in taken.items()}
    first, last = ([tenths[at] for tenths in taken["text"]] for at in (0, -1))
    note = f"{document}, {BYTES} bytes in {PIECES} pieces"
    figures = [
        ratio_figure(f"json.growth.{slug}", GROWTH, last, first, peer="first tenth", note=note)
    ]
    for name, side, rival in COMPARED:
        if rival in totals:
            goal = VS_JITER if name == "json.vs_jiter" else None
            figures.append(
                ratio_figure(
                    f"{name}.{slug}",
                    goal,
                    totals[side],
                    totals[rival],
                    peer="jiter",
                    peer_version=version("jiter"),
                    note=note,
                )
            )
    return figures


def _worst_named(figures: list[Figure]) -> list[Figure]:
    """Return all figures, with the worse document's under each goal's own name before them."""
    named = []
    for name in ("json.vs_jiter", "json.growth"):
        rivals = [each for each in figures if each.name.startswith(f"{name}.")]
        if rivals:
            named.append(replace(max(rivals, key=lambda each: each.value or 0.0), name=name))
    return named + figures
