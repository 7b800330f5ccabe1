"""The files of the message campaign: what took effect and what was acknowledged."""

from __future__ import annotations

import struct
from pathlib import Path

from cluster.kernel.ids import AgentId

SENDERS = ("asker-0", "teller-0")
SINK = AgentId("sink-0")
CONVERSATIONS = 8
BODY_BYTES = 100

EFFECT = struct.Struct("<dHIHII")
"""Time, sender, its epoch, conversation, number, epoch of the sink that applied it."""
ACKED = struct.Struct("<HIHI")
"""Sender, its epoch, conversation, number; with `UP_TO` added to the conversation, all up to it."""
UP_TO = 0x8000


def effects_path(folder: Path) -> Path:
    """Return the file of what was applied."""
    return folder / "effects.bin"


def acked_path(folder: Path, sender: str) -> Path:
    """Return the file of what was acknowledged to a sender."""
    return folder / f"acked-{sender}.bin"
