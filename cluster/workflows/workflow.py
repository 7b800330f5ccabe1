"""`Workflow`: a plan that a user has declared, from a file or from one that a model has made.

Loads in no time: what reads a file is imported when one is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.tasks.workflow import check_workflow
from cluster.kernel.vocabulary import Plan
from cluster.workflows.forecast import Forecast, forecast
from cluster.workflows.writing import to_toml


@dataclass(frozen=True, slots=True)
class Workflow:
    """Steps that are run as they are, without asking a model for a plan.

    Raises:
        UsageError: a step is unsound or can never start; see `check_workflow`.
    """

    plan: Plan
    goal: str = ""
    """What it is for, where the one who submits it says nothing else."""

    def __post_init__(self) -> None:
        """Check the plan."""
        check_workflow(self.plan)

    @classmethod
    def load(cls, path: str | os.PathLike[str], /, **inputs: str) -> Self:
        """Return the workflow of a TOML file, with the values of its inputs.

        Raises:
            UsageError: names the file, the key and what is allowed.
        """
        from cluster.workflows.reading import read_workflow

        for name, value in inputs.items():
            if not isinstance(value, str):
                raise UsageError(f"{path}: the input {name} must be a text, not {value!r}")
        return cls(*read_workflow(Path(path), inputs))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, of which `load` makes the same workflow.

        Raises:
            UsageError: the file can't be written.
        """
        try:
            Path(path).write_text(self.to_toml(), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} can't be written: {error.strerror}") from error

    def to_toml(self) -> str:
        """Return the text of such a file."""
        return to_toml(self.plan, self.goal)

    def forecast(
        self, durations_s: Mapping[StepId, float] | None = None, *, is_broadcast: bool = False
    ) -> Forecast:
        """Predict when its steps start and end; see `cluster.workflows.forecast`."""
        return forecast(self.plan, durations_s, is_broadcast=is_broadcast)
