"""What a cluster's process is asked to start, and that it is to stop: files in its run folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cluster.settings import Settings
from cluster.settings.config_file import from_public_json

SECRETS_FILE = "secrets.json"
_REQUEST_FILE = "request.json"
_STOP_FILE = "stop"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What is to be started; its secrets lie beside it in the run folder."""

    settings: Settings
    namespace: str
    has_dashboard: bool

    def write(self, run_dir: Path) -> None:
        """Leave it in the run folder."""
        values = {
            "settings": self.settings.public_json(),
            "namespace": self.namespace,
            "has_dashboard": self.has_dashboard,
        }
        (run_dir / _REQUEST_FILE).write_text(json.dumps(values), encoding="utf-8")

    @classmethod
    def read(cls, run_dir: Path) -> Self:
        """Return what `write` left.

        Raises:
            UsageError: its settings are of another version.
        """
        values = json.loads((run_dir / _REQUEST_FILE).read_text(encoding="utf-8"))
        return cls(**{**values, "settings": from_public_json(values["settings"])})


def order_stop(run_dir: Path) -> None:
    """Leave word in the run folder that the cluster is to stop; its lifeline is cut after that."""
    (run_dir / _STOP_FILE).touch()


def is_stop_ordered(run_dir: Path) -> bool:
    """Say whether somebody wants the stop; else whoever held the lifeline has died."""
    return (run_dir / _STOP_FILE).exists()
