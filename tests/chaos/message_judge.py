"""Judges the message campaign from what its processes wrote: oracles O1 to O3, one pass each.

In every conversation the messages of one incarnation of a sender must take effect as 1, 2, 3, …
without a gap, each once: a second place in the file is a redelivery where another incarnation of
the sink wrote it (a `SETNX` of its key would refuse it), and a violation where the same did.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.event_log import Record
from tests.chaos.message_format import ACKED, EFFECT, SENDERS, UP_TO, acked_path, effects_path

Stream = tuple[int, int, int]
"""Sender, its epoch, conversation."""


@dataclass(slots=True)
class MessageVerdict:
    """What became of the messages of one cluster."""

    acked: int = 0
    applied: int = 0
    lost: int = 0
    twice: int = 0
    disordered: int = 0
    corrupt: int = 0
    given_up: int = 0
    undrained: int = 0
    redelivered: int = 0
    refused_again: int = 0
    """Effects that a store with keys refuses: another incarnation had applied the message."""
    duplicates: int = 0
    stale: int = 0
    fenced: int = 0
    notes: list[str] = field(default_factory=list)
    effects: list[tuple[float, int, int]] = field(default_factory=list)
    """When each effect was applied, its sender and that one's epoch; in order of time."""

    def next_effect_after(self, instant: float, agent: str) -> float | None:
        """Return the seconds from an instant to the next effect, of one sender where it is one."""
        sender = SENDERS.index(agent) if agent in SENDERS else None
        place = bisect.bisect_left(self.effects, (instant, 0, 0))
        for at, by, _ in self.effects[place:]:
            if sender is None or by == sender:
                return at - instant
        return None


def judge_messages(folder: Path, records: Sequence[Record]) -> MessageVerdict:
    """Return the verdict on a cluster whose processes have ended."""
    verdict = MessageVerdict()
    reached = _judge_effects(folder, verdict)
    _judge_acked(folder, reached, verdict)
    verdict.effects.sort()  # a frozen process may write what it read off the clock long before
    last: dict[tuple[str, int], Counter[str]] = {}
    fenced = {record["pid"] for record in records if record["what"] == "fenced"}
    for record in records:
        match record["what"]:
            case "counts":
                numbers = {key: value for key, value in record.items() if isinstance(value, int)}
                last[record["agent"], record["pid"]] = Counter(numbers)
            case "corrupt":
                verdict.corrupt += 1
                verdict.notes.append(f"a changed body was delivered: {record['body'][:40]}")
            case "drained" if record["left"]:
                verdict.undrained += record["left"]
                verdict.notes.append(f"{record['agent']} still waits for {record['left']} answers")
            case "gave up" if record["pid"] not in fenced:
                verdict.given_up += 1
                verdict.notes.append(f"{record['agent']} gave up: {record['error']}")
            case "fenced":
                verdict.fenced += 1
    counted: Counter[str] = sum(last.values(), Counter())
    verdict.redelivered = counted["redelivered"]
    verdict.duplicates = counted["duplicates"]
    verdict.stale = counted["stale"]
    return verdict


def _judge_effects(folder: Path, verdict: MessageVerdict) -> dict[Stream, int]:
    """Check the order of effects; return how far each stream came."""
    reached: dict[Stream, int] = {}
    by: dict[tuple[int, int, int, int], set[int]] = {}
    data = effects_path(folder).read_bytes() if effects_path(folder).exists() else b""
    whole = len(data) - len(data) % EFFECT.size
    for at, sender, epoch, conversation, number, sink in EFFECT.iter_unpack(data[:whole]):
        stream = (sender, epoch, conversation)
        seen = by.setdefault((*stream, sink), set())
        if number in seen:
            verdict.twice += 1
            verdict.notes.append(f"{stream} {number} was applied twice by incarnation {sink}")
            continue
        seen.add(number)
        expected = reached.get(stream, 0) + 1
        if number < expected:
            verdict.refused_again += 1
            continue
        if number > expected:
            verdict.disordered += 1
            verdict.notes.append(f"{stream} {number} was applied where {expected} was due")
        reached[stream] = number
        verdict.applied += 1
        verdict.effects.append((at, sender, epoch))
    return reached


def _judge_acked(folder: Path, reached: dict[Stream, int], verdict: MessageVerdict) -> None:
    """Count what was acknowledged, and what of it never took effect.

    Effects without a gap are checked above, so a stream's last number says which took effect.
    """
    up_to: dict[Stream, int] = {}
    for name in SENDERS:
        path = acked_path(folder, name)
        data = path.read_bytes() if path.exists() else b""
        whole = len(data) - len(data) % ACKED.size
        for sender, epoch, conversation, number in ACKED.iter_unpack(data[:whole]):
            stream = (sender, epoch, conversation & ~UP_TO)
            if conversation & UP_TO:
                up_to[stream] = max(up_to.get(stream, 0), number)
                continue
            verdict.acked += 1
            if number > reached.get(stream, 0):
                verdict.lost += 1
                verdict.notes.append(f"{stream} {number} was acknowledged and never applied")
    for stream, number in up_to.items():
        verdict.acked += number
        if number > reached.get(stream, 0):
            verdict.lost += number - reached.get(stream, 0)
            verdict.notes.append(f"{stream} was acknowledged up to {number}, applied to less")
