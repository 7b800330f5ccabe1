"""Who does which step of the state campaign: files, which name a step and the attempt at it.

A step is done by whoever has claimed it. Where that one takes long, it was killed or frozen, or is
only slow: another one claims the next attempt, as a Manager asks another replica.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from random import Random

from cluster.kernel.ids import StepId

PATIENCE_S = (0.5, 2.0)
TWICE_SHARE = 0.01
"""How often an open step is claimed again at a look though it may be under way."""


class Claims:
    """The steps of a cell, as each of its processes sees them."""

    def __init__(self, folder: Path) -> None:
        self._begun = folder / "begun"
        self._open = folder / "open"
        self._begun.mkdir(exist_ok=True)
        self._open.mkdir(exist_ok=True)
        self._number = 0

    @property
    def is_all_done(self) -> bool:
        """Whether no step is open."""
        return not any(self._open.iterdir())

    def again(self, rng: Random) -> StepId | None:
        """Claim the next attempt at a step that nobody has done for a while, if there is one."""
        for name in sorted(path.name for path in self._open.iterdir()):
            step, _, attempt = name.partition("-")
            with suppress(FileNotFoundError):  # it has been done, or somebody else has claimed it
                age_s = time.time() - (self._open / name).stat().st_mtime
                if age_s > rng.uniform(*PATIENCE_S) or rng.random() < TWICE_SHARE:
                    claimed = self._open / f"{step}-{int(attempt) + 1}"
                    (self._open / name).rename(claimed)
                    os.utime(claimed)
                    return StepId(step)
        return None

    def new(self) -> StepId:
        """Claim a step that nobody has begun."""
        while True:
            self._number += 1
            step = StepId(f"s{self._number}")
            with suppress(FileExistsError):
                (self._begun / step).touch(exist_ok=False)  # who dies here, leaves a number out
                (self._open / f"{step}-1").touch()
                return step

    def end(self, step: StepId) -> None:
        """Note that a step has its result, and is settled."""
        for path in self._open.glob(f"{step}-*"):
            path.unlink(missing_ok=True)
