"""The settings that switch one technique off, and the figures of a run with each one off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from benchmarks.harness import Figure, not_run, ratio_figure, sample_figure
from cluster.settings.values import Settings

ALL_ON = "all"


@dataclass(frozen=True, slots=True)
class Switch:
    """A setting that switches a technique off."""

    technique: str
    section: str
    key: str
    off: object = False

    @property
    def is_known(self) -> bool:
        """Whether the settings have it."""
        section = getattr(Settings(), self.section, None)
        return section is not None and self.key in {each.name for each in fields(section)}

    def switched_off(self, settings: Settings) -> Settings:
        """Return settings without the technique."""
        section: Any = getattr(settings, self.section)
        changed: dict[str, Any] = {self.section: replace(section, **{self.key: self.off})}
        return replace(settings, **changed)


SWITCHED_TOGETHER = (
    (
        Switch("streamed_plan", "task", "stream_plan"),
        Switch("prepare", "task", "prepare"),
        Switch("warm_sandbox", "sandbox", "warm"),
    ),
    (
        Switch("early_return", "model", "early_return"),
        Switch("judge_early", "answer", "judge_early"),
        Switch("fit", "model", "fit"),
    ),
    (
        Switch("hedge", "model", "hedge"),
        Switch("breaker", "model", "breaker"),
        Switch("fallback", "model", "fallback"),
    ),
    (
        Switch("router", "router", "enabled"),
        Switch("kept_answers", "answer", "keep"),
        Switch("hedge_steps", "task", "hedge_steps"),
    ),
)
"""Those whose clusters run beside each other: two cores don't carry all of them."""
SWITCHES = tuple(switch for group in SWITCHED_TOGETHER for switch in group)


def figures_of(measured: Sequence[Mapping[str, list[float]]]) -> list[Figure]:
    """Return what a job takes with all techniques, and without each over that.

    Args:
        measured: what jobs have taken, of each group of switches by the technique that was off.
    """
    note = "'report' on hosts without Ray"
    full = [wall_s for walls in measured for wall_s in walls[ALL_ON]]
    figures = [sample_figure("ablations.wall_s", "s", full, note=note)]
    for switch in SWITCHES:
        name = f"ablations.without_{switch.technique}"
        setting = f"[{switch.section}] {switch.key}"
        walls = next((each for each in measured if switch.technique in each), None)
        if walls is None:
            figures.append(not_run(name, "", f"there is no setting {setting}"))
            continue
        off, on = walls[switch.technique], walls[ALL_ON]
        figures.append(ratio_figure(name, None, off, on, peer=ALL_ON, note=f"{setting} off"))
    return figures
