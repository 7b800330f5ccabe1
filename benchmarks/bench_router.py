"""The router: how often it is right, how sure it is, how long it takes.

The default intents are scored on `data/utterances.json`, by an author who had seen only their
definitions, and with `INTENTS=FILE` on any other JSON list of `[text, intent]`. The small set of
CLINC150 (`../shared/data` beside the checkout) measures the classifier itself: trained on `train`,
calibrated by `val` and `oos_val`, with the threshold that they ask for, and asked `test` and
`oos_test`. Without the data a figure is 'not run'. Easy goals are answered by a whole cluster.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agents.routing.classifier import Classifier, Guess, Validation
from agents.routing.default_router import DefaultRouter
from agents.routing.intents import default_intents
from benchmarks import easy_goals
from benchmarks.evidence_claims import SHARED_DATA
from benchmarks.harness import (
    Figure,
    Goal,
    judged,
    not_run,
    p99_figure,
    sample_figure,
    share_figure,
)
from cluster.kernel.routing import TEAM
from cluster.memory.knowledge.embedder import WordLlamaEmbedder

CLINC = SHARED_DATA / "clinc150_small.json"
UTTERANCES = Path(__file__).parent / "data" / "utterances.json"
ACCEPTED = 0.93
"""Share of `val` that the threshold accepts: the goal's 0.90, and some room."""
MEDIAN_GOAL = Goal("<=", 0.5)
P99_GOAL = Goal("<=", 1.0)
TRAIN_GOAL = Goal("<=", 30)
INTENTS_GOAL = Goal(">=", 0.90)
CLINC_GOALS = {
    "router.clinc_in_scope": Goal(">=", 0.93),
    "router.clinc_accepted": Goal(">=", 0.90),
    "router.clinc_oos_recall": Goal(">=", 0.60),
}
_ROUNDS = 20
_QUICK_ROUNDS = 3
Labelled = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Clinc:
    """The splits of the data set."""

    train: Sequence[Labelled]
    val: Sequence[Labelled]
    oos_val: Sequence[Labelled]
    test: Sequence[Labelled]
    oos_test: Sequence[Labelled]

    @classmethod
    def read(cls, path: Path) -> Clinc:
        """Read the file of the data set's authors."""
        splits = json.loads(path.read_text(encoding="utf-8"))
        return cls(*(_pairs(splits[n]) for n in ("train", "val", "oos_val", "test", "oos_test")))


def run(
    *, is_quick: bool = False, intents: Path | None = None, is_verbose: bool = False
) -> list[Figure]:
    """Measure; with ``is_quick`` fewer rounds, and without training on the data set."""
    embedder = WordLlamaEmbedder()
    embedder.embed_here(["loads the table"])
    began = time.perf_counter()
    router = DefaultRouter(embedder.embed_here)
    router.warm().result()
    warm_s = time.perf_counter() - began
    figures = _time_figures(router, _QUICK_ROUNDS if is_quick else _ROUNDS)
    figures.append(Figure("router.warm_s", warm_s, "s", n=1, note="the default intents, aside"))
    figures += easy_goals.figures(is_quick=is_quick)
    figures += _intent_figures(router, intents, is_verbose=is_verbose)
    return figures + _clinc_figures(embedder, is_quick=is_quick)


def _time_figures(router: DefaultRouter, rounds: int) -> list[Figure]:
    utterances = [text for intent in default_intents() for text in intent.utterances]
    samples = [router.decide(text).seconds * 1e3 for _ in range(rounds) for text in utterances]
    cpu = [_cpu_ms(router, text) for text in utterances]
    note = "the query's embedding included"
    return [
        sample_figure("router.decision_ms", "ms", samples, MEDIAN_GOAL, note=note),
        p99_figure("router.decision_p99_ms", samples, P99_GOAL, note=note),
        sample_figure("router.decision_cpu_ms", "ms", cpu, note="of the thread's own time"),
    ]


def _cpu_ms(router: DefaultRouter, text: str) -> float:
    """Return what a decision computes, whatever else the machine does meanwhile."""
    began = time.thread_time()
    router.decide(text)
    return (time.thread_time() - began) * 1e3


def _intent_figures(router: DefaultRouter, path: Path | None, *, is_verbose: bool) -> list[Figure]:
    name = "router.default_intents"
    path = path or UTTERANCES
    if not path.exists():
        return [not_run(name, str(INTENTS_GOAL), f"there is no {path}")]
    labelled = _pairs(json.loads(path.read_text(encoding="utf-8")))
    decisions = [router.decide(text) for text, _ in labelled]
    routes = {intent.name: intent.route for intent in default_intents()}
    pairs = list(zip(labelled, decisions, strict=True))
    if is_verbose:
        wrong = [
            (d.intent, round(d.confidence, 2), *each) for each, d in pairs if d.intent != each[1]
        ]
        print("\n".join(map(str, wrong)), file=sys.stderr)
        print(_confusion([(name, d.intent) for (_, name), d in pairs]), file=sys.stderr)
    right = [float(d.intent == label) for (_, label), d in pairs]
    lost = [float(d.route not in {TEAM, routes.get(label)}) for (_, label), d in pairs]
    kept = [float(d.route == routes.get(label)) for (_, label), d in pairs]
    return [
        share_figure(name, right, INTENTS_GOAL, note="the likeliest intent, however unlikely"),
        share_figure("router.default_routed", kept, note="to the intent's own route"),
        share_figure("router.default_misrouted", lost, note="neither there nor to the team"),
    ]


def _confusion(pairs: Sequence[tuple[str, str]]) -> str:
    names = sorted({name for pair in pairs for name in pair})
    counts = Counter(pairs)
    rows = [f"{'':>12}" + "".join(f"{name:>12}" for name in names)]
    rows += [
        f"{label:>12}" + "".join(f"{counts[label, guess]:>12}" for guess in names)
        for label in names
    ]
    return "\n".join(rows)


def _clinc_figures(embedder: WordLlamaEmbedder, *, is_quick: bool) -> list[Figure]:
    goals = CLINC_GOALS | {"router.train_s": TRAIN_GOAL}
    if is_quick or not CLINC.exists():
        why = "it takes a training" if is_quick else f"there is no {CLINC.name}"
        return [not_run(name, str(goal), why) for name, goal in goals.items()]
    data = Clinc.read(CLINC)
    began = time.perf_counter()
    cpu_began = time.process_time()
    classifier = trained_on(data, embedder)
    cpu_s = time.process_time() - cpu_began
    figure = Figure(
        "router.train_s", time.perf_counter() - began, "s", n=1, note=f"{cpu_s:.1f} s of CPU"
    )
    inside = _guesses(classifier, data.test)
    outside = _guesses(classifier, data.oos_test)
    least = classifier.confidence_min
    accepted = [
        g.intent == n for g, (_, n) in zip(inside, data.test, strict=True) if g.confidence >= least
    ]
    hits = {
        "router.clinc_in_scope": [float(each) for each in accepted],
        "router.clinc_accepted": [float(guess.confidence >= least) for guess in inside],
        "router.clinc_oos_recall": [float(guess.confidence < least) for guess in outside],
    }
    return [judged(figure, TRAIN_GOAL)] + [
        share_figure(name, each, CLINC_GOALS[name]) for name, each in hits.items()
    ]


def trained_on(data: Clinc, embedder: WordLlamaEmbedder) -> Classifier:
    """Train, calibrate by what is held out, and choose the threshold by that as well."""
    outside = [text for text, _ in data.oos_val]
    validation = Validation(_by_intent(data.val), outside)
    classifier = Classifier.train(
        _by_intent(data.train), embedder.embed_here, validation=validation
    )
    sure = sorted(guess.confidence for guess in _guesses(classifier, data.val))
    return replace(classifier, confidence_min=sure[int((1 - ACCEPTED) * len(sure))])


def _guesses(classifier: Classifier, labelled: Sequence[Labelled]) -> list[Guess]:
    return [classifier.guess(text) for text, _ in labelled]


def _by_intent(labelled: Sequence[Labelled]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text, intent in labelled:
        found.setdefault(intent, []).append(text)
    return found


def _pairs(read: Sequence[Sequence[str]]) -> list[Labelled]:
    return [(text, intent) for text, intent in read]
