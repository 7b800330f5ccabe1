"""What a cluster's process is asked to start, and that it is to stop.

The process keeps the secrets in a file, for those that it starts; that it is to stop, it sees by
one as well.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from cluster.settings import Secrets, Settings
from cluster.settings.config_file import from_public_json

SECRETS_FILE = "secrets.json"
_STOP_FILE = "stop"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What is to be started."""

    settings: Settings
    secrets: Secrets = field(repr=False)
    namespace: str
    has_dashboard: bool
    apart_from: str = ""
    """The address of a Ray cluster that is not joined; empty where any may be."""

    def to_json(self) -> str:
        """Return it as text, with the secrets."""
        values = {
            "settings": self.settings.public_json(),
            "secrets": asdict(self.secrets),
            "namespace": self.namespace,
            "has_dashboard": self.has_dashboard,
            "apart_from": self.apart_from,
        }
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` gave.

        Raises:
            UsageError: its settings are of another version.
        """
        values = json.loads(text)
        return cls(
            from_public_json(values["settings"]),
            Secrets(**values["secrets"]),
            values["namespace"],
            values["has_dashboard"],
            values["apart_from"],
        )


def order_stop(run_dir: Path) -> None:
    """Leave word in the run folder that the cluster is to stop; its lifeline is cut after that."""
    with suppress(FileNotFoundError):  # the folder isn't made yet: nothing runs that would ask
        (run_dir / _STOP_FILE).touch()


def is_stop_ordered(run_dir: Path) -> bool:
    """Say whether somebody wants the stop; else whoever held the lifeline has died."""
    return (run_dir / _STOP_FILE).exists()
