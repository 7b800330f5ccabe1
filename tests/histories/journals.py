"""Recorded journals: how they are read and written, and replayed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Self

from cluster.kernel.events import Event
from cluster.kernel.tasks.history import TaskHistory
from cluster.runtime.tasks.task_journal import EVENT, events_of
from cluster.wire.messages import MessageCodec, Opaque

FOLDER = Path(__file__).parent / "recorded"
CODEC = MessageCodec()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a journal; its event and what is to be done then are for people to read."""

    event: object
    orders: object
    stored: bytes

    @classmethod
    def from_line(cls, line: str) -> Self:
        content = json.loads(line)
        return cls(content["event"], content["orders"], base64.b64decode(content["entry"]))

    def line(self) -> str:
        entry = base64.b64encode(self.stored).decode()
        content = {"event": self.event, "orders": self.orders, "entry": entry}
        return json.dumps(content, ensure_ascii=False)


def recorded(name: str) -> list[Entry]:
    """Return the journal of that name."""
    lines = _path(name).read_text(encoding="utf-8").splitlines()
    return [Entry.from_line(line) for line in lines]


def keep(name: str, entries: Iterable[Entry]) -> None:
    """Write a journal under a name."""
    text = "".join(f"{entry.line()}\n" for entry in entries)
    _path(name).write_text(text, encoding="utf-8")


def names() -> list[str]:
    """Return the names of all recorded journals."""
    return sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def replayed(stored: Iterable[bytes], fold: Callable[[], TaskHistory] = TaskHistory) -> list[Entry]:
    """Return the journal as the code of today reads it, with the orders it gives after each entry.

    Raises:
        WireError: it can't be read, or can't have come about.
    """
    history, entries = fold(), []
    for entry in stored:
        [event] = events_of([entry], CODEC)
        history.apply(event)
        entries.append(Entry(plain(event), plain(history.orders()), entry))
    return entries


def plain(value: object) -> object:
    """Return a value as JSON has it: classes by name, fields that have their defaults left out."""
    if isinstance(value, Opaque):
        return {"is": value.type, "fields": json.loads(value.text())}
    if is_dataclass(value):
        told = [each for each in fields(value) if getattr(value, each.name) != each.default]
        shown = {each.name: plain(getattr(value, each.name)) for each in told}
        return {"is": type(value).__name__, **shown}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    assert value is None or isinstance(value, (str, int, float))
    return value


def stored_event(event: Event) -> bytes:
    """Return the entry of an event."""
    name, entry = CODEC.encode(event)
    assert name == EVENT
    return entry


def _path(name: str) -> Path:
    return FOLDER / f"{name}.jsonl"
