"""What agents do in the message campaign: askers and tellers send, a sink applies and notes it.

A message is applied by one write to a file: its place there is when it took effect, its first
place is its effect (what `SETNX` of its key would let through). Senders note what was
acknowledged. `tests.chaos.message_judge` reads both files.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import Kind
from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import TaskId
from cluster.kernel.turn import Turn
from cluster.memory.store.redis import RedisStore
from cluster.runtime.driver.driver import NoWork
from cluster.runtime.host import Host
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.turns.handler import Handler
from cluster.runtime.turns.running_turn import RunningTurn
from cluster.wire.messages import Opaque
from tests.chaos.host_process import Opener, Part, Surroundings, plain_host
from tests.chaos.message_format import (
    ACKED,
    BODY_BYTES,
    CONVERSATIONS,
    EFFECT,
    SENDERS,
    SINK,
    UP_TO,
    acked_path,
    effects_path,
)

_HEAD = struct.Struct("<HIHI")
_CRC = struct.Struct("<I")
_TYPE = "chaos.Message"
_DONE = Opaque("chaos.Done", b"")

ASK_TIMEOUT_S = 120.0
_TICK_S = 0.01
_ASKS_MAX = 512
_TELLS_MAX = 1024
_ROUND_S = 0.25
DRAIN_S = 60.0


def _message(sender: int, epoch: int, conversation: int, number: int) -> Opaque:
    head = _HEAD.pack(sender, epoch, conversation, number)
    body = head + b"%08x" % number * ((BODY_BYTES - len(head) - _CRC.size) // 8)
    return Opaque(_TYPE, body + _CRC.pack(zlib.crc32(body)))


def _open_for_append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


class Sink:
    """Applies messages, and dies before, between or after where it was told to."""

    def __init__(self, around: Surroundings, sender: Sender) -> None:
        self._around = around
        self._exchange = sender.exchange
        self._effects = _open_for_append(effects_path(around.folder))
        self._again = 0

    async def handle(self, message: object, turn: Turn) -> object:
        """Apply one message."""
        assert isinstance(message, Opaque)
        assert isinstance(turn, RunningTurn)
        crash = self._around.crash
        crash.crossed("before")
        body, crc = message.body[: -_CRC.size], message.body[-_CRC.size :]
        if turn.work.asked.sender not in SENDERS:
            return _DONE  # a stranger's frame that happens to be well-formed
        if len(crc) != _CRC.size or _CRC.unpack(crc) != (zlib.crc32(body),):
            self._around.log.write("corrupt", body=message.body.hex())
            return _DONE
        self._again += turn.work.asked.attempt > 1
        head = _HEAD.unpack_from(body)
        os.write(self._effects, EFFECT.pack(time.monotonic(), *head, self._exchange.epoch))
        crash.crossed("between")
        crash.will_cross("after")
        return _DONE

    async def run(self, host: Host) -> None:
        """Serve until the process is to stop."""
        await self._around.stopping.wait()

    def counts(self) -> dict[str, int]:
        """Return how many messages had been sent before."""
        return {"redelivered": self._again}


class Source:
    """The part of asker and teller that they share: numbers, the ledger, the rate."""

    def __init__(self, around: Surroundings, sender: Sender) -> None:
        self.around = around
        self.sender = sender
        self.index = SENDERS.index(around.spec["agent"])
        self.epoch = 0
        self.numbers = [0] * CONVERSATIONS
        self.posted = 0
        self.acked = 0
        self.given_up = 0
        self._ledger = _open_for_append(acked_path(around.folder, around.spec["agent"]))

    def counts(self) -> dict[str, int]:
        """Return what was sent, acknowledged and given up."""
        return {"posted": self.posted, "acked": self.acked, "given_up": self.given_up}

    def note(self, conversation: int, number: int) -> None:
        """Write down that messages were acknowledged."""
        os.write(self._ledger, ACKED.pack(self.index, self.epoch, conversation, number))

    def next_messages(self, count: int) -> Iterator[tuple[int, int, Opaque]]:
        """Number new messages, over all conversations in turn."""
        for _ in range(count):
            conversation = self.posted % CONVERSATIONS
            self.posted += 1
            self.numbers[conversation] += 1
            number = self.numbers[conversation]
            yield conversation, number, _message(self.index, self.epoch, conversation, number)

    def due(self, started: float) -> int:
        """Return how many messages the rate asks for now, at most a tick's share twice."""
        rate = self.around.spec["rate"]
        late = int((time.monotonic() - started) * rate) - self.posted
        return max(0, min(late, int(rate * _TICK_S * 4) + 1))


class Asker(Source):
    """Sends asks: the answer is the acknowledgement."""

    def __init__(self, around: Surroundings, sender: Sender) -> None:
        super().__init__(around, sender)
        self._asks: set[asyncio.Task[None]] = set()

    async def run(self, host: Host) -> None:
        """Ask at the rate until the process is to stop, then wait for the last answers."""
        self.epoch = host.exchange.epoch
        started = time.monotonic()
        while not self.around.stopping.is_set():
            for conversation, number, message in self.next_messages(
                min(self.due(started), _ASKS_MAX - len(self._asks))
            ):
                ask = asyncio.ensure_future(self._ask(conversation, number, message))
                self._asks.add(ask)
                ask.add_done_callback(self._asks.discard)
            await asyncio.sleep(_TICK_S)
        if self._asks:
            await asyncio.wait(self._asks, timeout=DRAIN_S)
        self.around.log.write("drained", left=len(self._asks))

    async def _ask(self, conversation: int, number: int, message: Opaque) -> None:
        envelope = self.sender.envelope(SINK, Kind.ASK, message)
        envelope.task = TaskId(f"{self.index}/{conversation}")
        envelope.deadline_at = self.sender.clock.now() + ASK_TIMEOUT_S
        try:
            await self.sender.ask(envelope)
        except ClusterError as error:
            self.given_up += 1
            self.around.log.write("gave up", error=str(error), at=[conversation, number])
            return
        self.acked += 1
        self.note(conversation, number)


class Teller(Source):
    """Sends tells in rounds: those of a round are acknowledged when nothing of it is undone."""

    _peer: Peer | None = None

    async def run(self, host: Host) -> None:
        """Tell at the rate until the process is to stop and the last round is acknowledged."""
        self.epoch = host.exchange.epoch
        started = time.monotonic()
        while not self.around.stopping.is_set():
            await asyncio.sleep(_TICK_S)
            ends_at = time.monotonic() + _ROUND_S
            in_round = 0
            while time.monotonic() < ends_at and in_round < _TELLS_MAX:
                count = min(self.due(started), _TELLS_MAX - in_round)
                in_round += count
                for conversation, _, message in self.next_messages(count):
                    self._tell(conversation, message)
                await asyncio.sleep(_TICK_S)
            await self._until_done()
        self.around.log.write("drained", left=0)

    def _tell(self, conversation: int, message: Opaque) -> None:
        envelope = self.sender.envelope(SINK, Kind.TELL, message)
        envelope.task = TaskId(f"{self.index}/{conversation}")
        self._peer = self.sender.exchange.post(envelope)

    async def _until_done(self) -> None:
        async with asyncio.timeout(DRAIN_S):
            while self._peer is not None and self._peer.undone_count:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.002)
        self.acked = self.posted
        for conversation, number in enumerate(self.numbers):
            self.note(conversation | UP_TO, number)


async def _open_sink(around: Surroundings) -> tuple[Host, Part]:
    made: list[Sink] = []

    def make(sender: Sender) -> Handler:
        made.append(Sink(around, sender))
        return made[0]

    return plain_host(around, await around.store(RedisStore), make, 64), made[0]


def _open_source(kind: type[Asker | Teller]) -> Opener:
    async def open_source(around: Surroundings) -> tuple[Host, Part]:
        senders: list[Sender] = []

        def make(sender: Sender) -> Handler:
            senders.append(sender)
            return NoWork()

        host = plain_host(around, await around.store(RedisStore), make, 1)
        return host, kind(around, senders[0])

    return open_source


OPENERS: dict[str, Opener] = {
    "sink": _open_sink,
    "asker": _open_source(Asker),
    "teller": _open_source(Teller),
}
