"""What the processes of a chaos cluster write down while they can: one JSON object a line.

Every line is one write to a file opened for appending, so a SIGKILL loses none that came before
it and lines of several processes never mix. Times are `time.monotonic`, one clock for a machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

EVENTS_FILE = "events.jsonl"
_POLL_S = 0.005

Record = dict[str, Any]


class EventLog:
    """The writing end, in each process."""

    def __init__(self, folder: Path, agent: str) -> None:
        self._agent = agent
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(folder / EVENTS_FILE, flags, 0o600)

    def write(self, what: str, **more: object) -> None:
        """Note that something happens now."""
        record = {"t": time.monotonic(), "what": what, "agent": self._agent, "pid": os.getpid()}
        os.write(self._file, json.dumps({**record, **more}).encode() + b"\n")


class EventReader:
    """The reading end, in the process that injects the faults and judges."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS_FILE
        self._path.touch()
        self._file = self._path.open("rb")
        self.records: list[Record] = []
        self._of_kind: defaultdict[str, list[Record]] = defaultdict(list)

    def read(self) -> list[Record]:
        """Take what is new and return all there is."""
        while line := self._file.readline():
            if not line.endswith(b"\n"):
                self._file.seek(-len(line), os.SEEK_CUR)
                break
            record: Record = json.loads(line)
            self.records.append(record)
            self._of_kind[record["what"]].append(record)
        return self.records

    def find(self, what: str, **wanted: object) -> list[Record]:
        """Return the records of a kind that have these values."""
        self.read()
        return [
            record
            for record in self._of_kind[what]
            if all(record.get(key) == value for key, value in wanted.items())
        ]

    async def until(self, what: str, timeout_s: float, **wanted: object) -> Record:
        """Wait for the first record of a kind with these values and return it.

        Raises:
            TimeoutError: none came within the time.
        """
        async with asyncio.timeout(timeout_s):
            while not (found := self.find(what, **wanted)):  # noqa: ASYNC110 - a file
                await asyncio.sleep(_POLL_S)
        return found[0]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
