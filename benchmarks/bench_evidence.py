"""What backs a sentence: how often the judge is right, what of a good text it keeps, its speed.

`CLAIMS=FILE` and `REPLAY=FILE` measure other files of the same formats; nothing is trained on them.
Without the data (`../shared/data` beside the checkout) a figure is 'not run'. The goals hold for
point estimates; the intervals are Wilson's.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.evidence.verdict import Verdict
from benchmarks.bench_search import XQUAD, Xquad
from benchmarks.changed_sentences import docstrings
from benchmarks.evidence_changes import (
    ALL_GOAL,
    TIME_GOAL,
    change_figures,
    guard_figures,
    judged_changes,
    time_figures,
)
from benchmarks.evidence_claims import (
    NOT_SUPPORTED,
    PARTIAL,
    SHARED_DATA,
    SUPPORTED,
    WICE,
    LabelledClaim,
    read_claims,
    trained,
)
from benchmarks.evidence_heuristics import heuristic_figures
from benchmarks.evidence_kinds import kind_figures
from benchmarks.evidence_replay import Fate, Traced, read_replies, replayed
from benchmarks.harness import Figure, Goal, not_run, share_figure

REPLAY = SHARED_DATA / "strong_model.json"
CLAIM_GOALS = {SUPPORTED: Goal(">=", 0.90), NOT_SUPPORTED: Goal("<=", 0.15)}
CLAIM_NAMES = {
    SUPPORTED: "evidence.true_kept",
    NOT_SUPPORTED: "evidence.false_unmarked",
    PARTIAL: "evidence.partial_backed",
}
REACHED_GOAL = Goal(">=", 0.95)
BACKED_GOAL = Goal(">=", 0.80)
PLANTED_GOAL = Goal("<=", 0)
FOLDS = 10
REPEATS = 3
_QUICK_TEXTS = 40


def run(
    *,
    is_quick: bool = False,
    claims: Path | None = None,
    replay: Path = REPLAY,
    is_verbose: bool = False,
) -> list[Figure]:
    """Measure; with ``is_quick`` a part of the changed sentences, and folds once."""
    told: list[str] = []
    figures, true = _claim_figures(claims, told, is_quick=is_quick)
    figures += _text_figures(true, told, is_quick=is_quick)
    figures += _replay_figures(replay, told) + heuristic_figures(told) + kind_figures(told)
    if is_verbose:
        print("\n".join(told), file=sys.stderr)
    return figures


def _claim_figures(
    path: Path | None, told: list[str], *, is_quick: bool
) -> tuple[list[Figure], list[Verdict]]:
    """Return the figures of labelled claims, and the verdicts on the supported ones."""
    source = path or WICE
    if not source.exists():
        why = f"there is no {source.name}"
        return [not_run(CLAIM_NAMES[k], str(CLAIM_GOALS.get(k, "")), why) for k in CLAIM_NAMES], []
    claims = read_claims(source)
    verdicts = [claim.verdict() for claim in claims]
    told += [
        f"{claim.label}, {verdict.level.value}: {verdict.reason} {verdict.score:.2f}: {claim.text}"
        for claim, verdict in zip(claims, verdicts, strict=True)
        if (claim.label == SUPPORTED) is not verdict.level.is_backed and claim.label != PARTIAL
    ]
    shipped = [float(verdict.level.is_backed) for verdict in verdicts]
    true = [v for c, v in zip(claims, verdicts, strict=True) if c.label == SUPPORTED]
    note = "the weights that ship"
    if path is not None:
        return _by_label(claims, shipped, note), true
    folded = _cross_validated(claims, 1 if is_quick else REPEATS)
    figures = _by_label(claims, folded, f"{FOLDS}-fold cross-validation")
    return figures + _by_label(claims, shipped, note, suffix="_shipped"), true


def _by_label(
    claims: Sequence[LabelledClaim], backed: Sequence[float], note: str, suffix: str = ""
) -> list[Figure]:
    return [
        share_figure(
            f"{name}{suffix}",
            [b for claim, b in zip(claims, backed, strict=True) if claim.label == label],
            None if suffix else CLAIM_GOALS.get(label),
            note=note,
        )
        for label, name in CLAIM_NAMES.items()
    ]


def _cross_validated(claims: Sequence[LabelledClaim], repeats: int) -> list[float]:
    """Return how often each claim passes by weights that were trained without it.

    The partially supported ones, on which nothing is ever trained, are judged in every fold.
    """
    kinds = [at for at, claim in enumerate(claims) if claim.label != PARTIAL]
    others = [at for at, claim in enumerate(claims) if claim.label == PARTIAL]
    passed: dict[int, list[bool]] = {at: [] for at in range(len(claims))}
    rng = random.Random(0)
    for _ in range(repeats):
        shuffled = rng.sample(kinds, len(kinds))
        for fold in range(FOLDS):
            held_out = set(shuffled[fold::FOLDS])
            weights = trained([claims[at] for at in kinds if at not in held_out])
            for at in (*sorted(held_out), *others):
                passed[at].append(claims[at].verdict(weights).level.is_backed)
    return [sum(each) / len(each) for each in passed.values()]


def _text_figures(true: Sequence[Verdict], told: list[str], *, is_quick: bool) -> list[Figure]:
    path = SHARED_DATA / XQUAD
    if not path.exists():
        goals = {"evidence.changed_caught": ALL_GOAL, "evidence.us_per_sentence": TIME_GOAL}
        return [not_run(name, str(goal), f"there is no {XQUAD}") for name, goal in goals.items()]
    prose, code = Xquad.read(path).passages, docstrings()
    times = time_figures(prose, is_quick=is_quick)
    if is_quick:
        prose, code = prose[:_QUICK_TEXTS], code[:_QUICK_TEXTS]
    found = judged_changes(prose, code)
    told += [
        f"{each.kind or 'same'}, {each.verdict.level.value}: {each.verdict.reason}: {each.text}"
        for each in found
        if bool(each.kind) is each.verdict.level.is_backed
    ]
    return change_figures(found) + guard_figures(found, true) + times


def _replay_figures(path: Path, told: list[str]) -> list[Figure]:
    if not path.exists():
        goals = {
            "evidence.replay_reached": REACHED_GOAL,
            "evidence.replay_backed": BACKED_GOAL,
            "evidence.replay_planted_backed": PLANTED_GOAL,
        }
        return [
            not_run(name, str(goal), f"there is no {path.name}") for name, goal in goals.items()
        ]
    found = replayed(read_replies(path))
    told += [
        f"{'planted' if each.is_planted else 'true'}, {each.fate.value}: {_told(each)}"
        for each in found
        if each.fate in (Fate.LOST, Fate.UNVERIFIED) or each.is_planted
    ]
    true = [each.fate for each in found if not each.is_planted]
    return [
        share_figure(
            "evidence.replay_reached",
            [float(fate is not Fate.LOST) for fate in true],
            REACHED_GOAL,
            note="true sentences",
        ),
        share_figure(
            "evidence.replay_backed",
            [float(fate is Fate.BACKED) for fate in true if fate is not Fate.FREE],
            BACKED_GOAL,
            note="true sentences that need backing, the lost ones too",
        ),
        share_figure(
            "evidence.replay_backed_of_all",
            [float(fate is Fate.BACKED) for fate in true],
            note="of all true sentences, lead-ins and denials too",
        ),
        share_figure(
            "evidence.replay_planted_backed",
            [float(each.fate is Fate.BACKED) for each in found if each.is_planted],
            PLANTED_GOAL,
            note="planted sentences",
        ),
    ]


def _told(each: Traced) -> str:
    return f"{each.reply.task} {each.reply.step}: {each.text}"
