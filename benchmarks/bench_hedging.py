"""Hedged calls on bhope/hedge's workload, in virtual time; the quantiles are learned on the way.

Decided by `cluster.kernel.tail`, which the product asks too; the same seed plays the unhedged run.
"""

from __future__ import annotations

from benchmarks.harness import Figure, Goal, judged, percentile
from benchmarks.hedging_clock import UNHEDGED, Endpoint, Played, Slowdown
from cluster.kernel.tail.hedger import HedgeRules
from cluster.kernel.tasks.step_hedging import STEP_RULES

CALLS = 100_000
OUTAGE = Slowdown(begins_at=30.0, ends_at=60.0)
OUTAGE_CALLS = 18_000
"""90 s of them: as long before and after the slowdown as in it."""
_NOTE = "lognormal 5 +- 2 ms, 5 % take ten times as long, 200 calls/s, virtual time"


def _tail(plain: Played, hedged: Played) -> list[Figure]:
    def ratio(name: str, share: float) -> Figure:
        ours, theirs = (1000 * percentile(run.seconds, share) for run in (hedged, plain))
        figure = Figure(
            f"hedge.{name}_ratio",
            ours / theirs,
            "ratio",
            n=len(hedged.seconds),
            parts={"hedged_ms": [ours], "unhedged_ms": [theirs]},
            note=_NOTE,
        )
        return figure if name == "p50" else judged(figure, Goal("<=", 0.28))

    parts = {"extra": [float(hedged.extra)], "calls": [float(hedged.calls)]}
    share = Figure(
        "hedge.extra_share", hedged.extra / hedged.calls, "share", n=hedged.calls, parts=parts
    )
    busy = {"hedged_s": [hedged.busy_s], "unhedged_s": [plain.busy_s]}
    busy_ratio = Figure(
        "hedge.busy_ratio", hedged.busy_s / plain.busy_s, "ratio", n=hedged.calls, parts=busy
    )
    return [
        ratio("p50", 0.5),
        ratio("p99", 0.99),
        ratio("p999", 0.999),
        judged(share, Goal("<=", 0.08)),
        judged(busy_ratio, Goal("<=", 0.85)),
    ]


def _steps(plain: Played, hedged: Played) -> list[Figure]:
    """Return what a second attempt and no third gains, as steps have it."""
    note = f"at most two attempts, as for steps; {_NOTE}"
    figures = []
    for name, share in (("p99", 0.99), ("p999", 0.999)):
        ours, theirs = (1000 * percentile(run.seconds, share) for run in (hedged, plain))
        parts = {"hedged_ms": [ours], "unhedged_ms": [theirs]}
        count = len(hedged.seconds)
        figures.append(
            Figure(
                f"hedge.steps_{name}_ratio", ours / theirs, "ratio", n=count, parts=parts, note=note
            )
        )
    extra = hedged.extra / hedged.calls
    figure = Figure("hedge.steps_extra_share", extra, "share", n=hedged.calls, note=note)
    return [*figures, judged(figure, Goal("<=", 0.08))]


def _outage(played: Played) -> list[Figure]:
    share = played.extra_in_slowdown / played.calls_in_slowdown
    note = "everything takes ten times as long for 30 s"
    n = played.calls_in_slowdown
    return [
        judged(
            Figure("hedge.outage_extra_share", share, "share", n=n, note=note), Goal("<=", 0.10)
        ),
        judged(
            Figure("hedge.outage_off_after_s", played.off_after_s, "s", n=1, note="from its begin"),
            Goal("<=", 1.0),
        ),
        judged(
            Figure("hedge.outage_on_after_s", played.on_after_s, "s", n=1, note="from its end"),
            Goal("<=", 1.0),
        ),
    ]


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `hedging`."""
    count = CALLS // 5 if is_quick else CALLS
    plain, hedged, steps = (
        Endpoint(1, rules, Slowdown()).play(count) for rules in (UNHEDGED, HedgeRules(), STEP_RULES)
    )
    outage = Endpoint(1, HedgeRules(), OUTAGE).play(OUTAGE_CALLS)
    return [*_tail(plain, hedged), *_steps(plain, steps), *_outage(outage)]
