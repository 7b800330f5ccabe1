"""The settings that switch one technique off, and the figures of a run with each one off."""

from __future__ import annotations

from collections.abc import Mapping
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


SWITCHES = (
    Switch("streamed_plan", "task", "stream_plan"),
    Switch("prepare", "task", "prepare"),
    Switch("warm_sandbox", "sandbox", "warm"),
    Switch("early_return", "model", "early_return"),
    Switch("judge_early", "answer", "judge_early"),
)


def figures_of(walls: Mapping[str, list[float]]) -> list[Figure]:
    """Return what a job takes with all techniques, and without each over that."""
    note = "'report' on hosts without Ray"
    figures = [sample_figure("ablations.wall_s", "s", walls[ALL_ON], note=note)]
    for switch in SWITCHES:
        name = f"ablations.without_{switch.technique}"
        setting = f"[{switch.section}] {switch.key}"
        if switch.technique in walls:
            off, on = walls[switch.technique], walls[ALL_ON]
            figures.append(ratio_figure(name, None, off, on, peer=ALL_ON, note=f"{setting} off"))
        else:
            figures.append(not_run(name, "", f"there is no setting {setting}"))
    return figures
