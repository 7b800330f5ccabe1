"""The file by which this machine's resident cluster is found: who it is, and where its secrets lie.

``${XDG_STATE_HOME:-~/.local/state}/fleetmind/cluster.json``, readable by its user only, there as
long as the cluster can be used. Reading it imports nothing heavy: attaching to a cluster is quick.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.kernel.errors import PlacementError
from cluster.placement.local.process_table import ProcessId
from cluster.user_folders import make_user_folder, user_folder

_FILE = "cluster.json"
_STATE = "XDG_STATE_HOME", ".local/state"


@dataclass(frozen=True, slots=True)
class ResidentRecord:
    """A resident cluster."""

    process: ProcessId
    """The process that stays, whose end is the cluster's."""
    session: ProcessId
    """The leader of the session that all its other processes are in."""
    since_s: float
    """When it was ready, in Unix seconds."""
    settings_json: str
    secrets_path: str
    ray_address: str
    dashboard_url: str
    agents: tuple[str, ...]


def state_dir() -> Path:
    """Return the folder for the file, the lock and the log; makes it where there is none.

    Raises:
        UsageError: it can't be made, or no home folder is known.
    """
    return make_user_folder(*_STATE)


def read_resident() -> ResidentRecord | None:
    """Return the resident cluster, None where there is none or it has died."""
    resident = read_file()
    return resident if resident is not None and resident.process.is_alive else None


def read_file() -> ResidentRecord | None:
    """Return what the file says, whether or not the cluster still runs; None for no such file."""
    try:
        values = json.loads((user_folder(*_STATE) / _FILE).read_text(encoding="utf-8"))
        values["process"] = ProcessId(**values["process"])
        values["session"] = ProcessId(**values["session"])
        values["agents"] = tuple(values["agents"])
        return ResidentRecord(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_file(resident: ResidentRecord) -> None:
    """Put the file in its place, whole or not at all.

    Raises:
        PlacementError: it can't be written.
    """
    target = state_dir() / _FILE
    draft = target.with_name(f".{_FILE}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(resident), file)
        draft.replace(target)
    except OSError as error:
        raise PlacementError(f"{target} can't be written: {error.strerror}") from error


def remove_file() -> None:
    """Remove the file, if there is one."""
    (user_folder(*_STATE) / _FILE).unlink(missing_ok=True)
