"""What a cluster's process is asked to start: a file in its run folder, its secrets beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cluster.settings import Settings
from cluster.settings.config_file import from_public_json

SECRETS_FILE = "secrets.json"
_REQUEST_FILE = "request.json"


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
