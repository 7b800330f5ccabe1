"""The simulated network: streams of real bytes between simulated processes, and what befalls them.

Implements the push port of `cluster.transport.port`. A stream is like one of TCP: what arrives is
in order, and a loss shows as a stall and then as a break. Frames that come twice or in another
order, which no TCP does, test what stands above it.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import zlib
from collections import deque
from collections.abc import Callable

from cluster.kernel.envelope import Frame
from cluster.kernel.errors import ClusterError, PeerUnavailable, WireError
from cluster.transport.port import Accept, Connection, Receiver
from cluster.wire.codec import frame_from_bytes, frame_to_bytes
from tests.simulation.faults import Faults
from tests.simulation.loop import WORLD, Process, VirtualLoop

DELAY_S = (0.0002, 0.002)
LONG_DELAY_S = (0.02, 0.5)
KEEPALIVE_S = (0.8, 2.0)
"""How long a stream lives that carries nothing, until its ends notice."""
FRAMES_QUEUED_MAX = 64
SLOW_QUEUED_MAX = 2
SLOW_DELAY_S = 0.05
SWAP_WAIT_S = 0.05

Note = Callable[[str, str], None]
"""Takes who and what, for the story of the run."""


class SimConnection:
    """One end of a stream; what it writes goes to ``other``."""

    other: SimConnection

    def __init__(self, network: SimNetwork, process: Process) -> None:
        self.process = process
        self.has_ended = False
        self.held: list[bytes] = []
        """Sent by the other end and stuck in a partition."""
        self.in_flight = 0
        self.last_arrival = 0.0
        self.is_stuck = False
        """Nothing of what this end writes arrives any more."""
        self.is_slow = network.faults.happens("slow consumer")
        self.kept_back: bytes | None = None
        self.number = 0
        self._network = network
        self._receiver: Receiver | None = None
        self._early: list[bytes] = []
        self._is_congested = False

    # ---- the port --------------------------------------------------------------------------

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver."""
        self._receiver = receiver
        for data in self._early:
            self.in_context(self._give, data)
        self._early.clear()

    @property
    def is_writable(self) -> bool:
        """Say whether fewer frames are under way than the stream holds."""
        bound = SLOW_QUEUED_MAX if self.is_slow else FRAMES_QUEUED_MAX
        self._is_congested = self.in_flight >= bound
        return not self._is_congested

    def write(self, frame: Frame) -> None:
        """Hand a frame to the network."""
        faults = self._network.faults
        if self.has_ended or not faults.boundary(self.process, "before a frame"):
            return
        self._network.carry(self, frame_to_bytes(frame, self._network.loop.time()))
        faults.boundary(self.process, "after a frame")

    def close(self) -> None:
        """End the stream after what was written."""
        if self.has_ended or not self.process.is_alive:
            return
        self.end(None)
        arrival = max(self.last_arrival, self._network.loop.time()) + DELAY_S[1]
        self.other.at(arrival, self.other.hear_end, None)

    # ---- what the network does with it -----------------------------------------------------

    def at(self, when: float, callback: Callable[..., None], *args: object) -> None:
        """Have something happen to this end at an instant, in its process."""
        self._network.loop.call_at(when, callback, *args, context=self.process.context)

    def in_context(self, callback: Callable[..., None], *args: object) -> None:
        """Have something happen to this end as soon as its process runs."""
        self._network.loop.call_soon(callback, *args, context=self.process.context)

    def end(self, error: ClusterError | None) -> None:
        """Nothing follows; the receiver is told once."""
        if self.has_ended:
            return
        self.has_ended = True
        self.in_context(self._tell_end, error)

    def hear_end(self, error: ClusterError | None) -> None:
        """The other end has ended; where a partition hides that, it is noticed later."""
        if self._network.is_cut(self.other.process, self.process):
            silence = PeerUnavailable("nothing came for too long")
            self.at(self._network.loop.time() + KEEPALIVE_S[1], self.end, silence)
        else:
            self.end(error)

    def _tell_end(self, error: ClusterError | None) -> None:
        if self._receiver is not None:
            self._receiver.on_end(error)

    def arrive(self, data: bytes, *, counts: bool = True) -> None:
        """Take bytes off the network, or leave them stuck where a partition holds them."""
        if self._network.is_cut(self.other.process, self.process) and not self.has_ended:
            self.held.append(data)
            return
        if counts:
            self.other.landed()
        if self.has_ended:
            return
        self._network.digest(data)
        if self._receiver is None:
            self._early.append(data)
        else:
            self._give(data)

    def _give(self, data: bytes) -> None:
        if self.has_ended or self._receiver is None:
            return
        try:
            frame = frame_from_bytes(data, self._network.loop.time())
        except WireError as error:
            self.end(error)
            return
        self._network.on_delivery(self, frame)
        self._receiver.on_frame(frame)

    def landed(self) -> None:
        """A frame of this end has left the network."""
        self.in_flight -= 1
        if self._is_congested and self.in_flight == 0:
            self._is_congested = False
            self.in_context(self._tell_writable)

    def _tell_writable(self) -> None:
        if self._receiver is not None and not self.has_ended:
            self._receiver.on_writable()


class SimNetwork:
    """Who listens where, which streams there are, and which ways are cut."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, faults: Faults, note: Note) -> None:
        self.loop = loop
        self.faults = faults
        self.note = note
        self.crc = 0
        self.frames = 0
        self.on_delivery: Callable[[SimConnection, Frame], None] = lambda end, frame: None
        self._random = rng
        self._listeners: dict[str, SimTransport] = {}
        self._ends: dict[SimConnection, None] = {}
        self._cuts: dict[tuple[str, str], int] = {}
        self._numbers = itertools.count(1)
        self._old: dict[tuple[Process, Process], deque[tuple[SimConnection, bytes]]] = {}

    # ---- streams ---------------------------------------------------------------------------

    def digest(self, data: bytes) -> None:
        """Make what happened part of the trace."""
        self.crc = zlib.crc32(data, self.crc)

    def delay_s(self) -> float:
        """Return how long something is on its way now."""
        bounds = LONG_DELAY_S if self.faults.happens("delay") else DELAY_S
        return self._random.uniform(*bounds)

    def carry(self, end: SimConnection, data: bytes) -> None:
        """Take a frame from the end that writes it to the other one, if all goes well."""
        self.frames += 1
        end.in_flight += 1
        end.number += 1
        if end.is_stuck:
            return
        if self.faults.happens("break"):
            self.break_stream(end, "the connection was reset", 0.0)
            return
        if self.faults.happens("stall then break"):
            end.is_stuck = True
            self.break_stream(end, "the stream stalled", self._random.uniform(*KEEPALIVE_S))
            return
        is_first = end.number == 1
        if not is_first and end.kept_back is None and self.faults.happens("reorder"):
            end.kept_back = data
            self.loop.call_later(SWAP_WAIT_S, self._release, end, data, context=WORLD)
            return
        self._send(end, data)
        if end.kept_back is not None:
            self._release(end, end.kept_back)
        if not is_first and self.faults.happens("duplicate"):
            again = self.loop.time() + self._random.choice((0.0, 0.01, 0.3))
            end.other.at(max(end.last_arrival, again), self._again, end, data)

    def _send(self, end: SimConnection, data: bytes) -> None:
        delay_s = self.delay_s() + (SLOW_DELAY_S if end.is_slow else 0.0)
        end.last_arrival = max(end.last_arrival, self.loop.time() + delay_s)
        end.other.at(end.last_arrival, end.other.arrive, data)

    def _release(self, end: SimConnection, data: bytes) -> None:
        if end.kept_back is data:
            end.kept_back = None
            self._send(end, data)

    def _again(self, end: SimConnection, data: bytes) -> None:
        """Deliver a frame once more: on its own stream, or on another one of the same pair."""
        if end.has_ended:
            others = [
                other
                for other in self._ends
                if other.process is end.process
                and other.other.process is end.other.process
                and other.number > 0
                and not other.has_ended
            ]
            if not others:
                return
            end = others[-1]
        end.other.arrive(data, counts=False)

    def break_stream(self, end: SimConnection, why: str, after_s: float) -> None:
        """Have both ends of a stream see it break, each in its time."""
        now = self.loop.time() + after_s
        for each in (end, end.other):
            each.is_stuck = True
            each.at(now + self._random.uniform(*DELAY_S), each.end, PeerUnavailable(why))

    def connect(self, near: Process, far: Process) -> tuple[SimConnection, SimConnection]:
        """Return the two ends of a new stream."""
        one, other = SimConnection(self, near), SimConnection(self, far)
        one.other, other.other = other, one
        for end in [end for end in self._ends if end.has_ended]:
            del self._ends[end]
        self._ends[one] = self._ends[other] = None
        return one, other

    def address_of(self, transport: SimTransport) -> str:
        """Return a new address at which a transport is reached."""
        address = f"sim:{next(self._numbers)}"
        self._listeners[address] = transport
        return address

    def listener(self, address: str) -> SimTransport | None:
        """Return who listens at an address."""
        found = self._listeners.get(address)
        return found if found is not None and found.is_listening else None

    def ends_of(self, process: Process) -> list[SimConnection]:
        """Return the ends of streams that a process holds."""
        return [end for end in self._ends if end.process is process and not end.has_ended]

    def died(self, process: Process) -> None:
        """A process was killed: its kernel resets its streams, or its machine is gone too."""
        is_silent = self._random.random() < 0.2
        for end in self.ends_of(process):
            after_s = self._random.uniform(*KEEPALIVE_S) if is_silent else 0.0
            end.has_ended = True
            self.break_stream(end, "the peer died", after_s)

    # ---- partitions ------------------------------------------------------------------------

    def is_cut(self, sender: Process, recipient: Process) -> bool:
        """Say whether nothing gets from one process to another."""
        return bool(self._cuts) and (sender.name, recipient.name) in self._cuts

    def cut(self, sender: str, recipient: str) -> None:
        """Let nothing through from one name to another; streams there die of it in time."""
        self._cuts[sender, recipient] = self._cuts.get((sender, recipient), 0) + 1
        for end in list(self._ends):
            if {end.process.name, end.other.process.name} == {sender, recipient}:
                self.loop.call_later(
                    self._random.uniform(*KEEPALIVE_S), self._keepalive, end, sender, recipient
                )

    def _keepalive(self, end: SimConnection, sender: str, recipient: str) -> None:
        if (sender, recipient) in self._cuts:
            silence = PeerUnavailable("nothing came for too long")
            end.in_context(end.end, silence)
            end.other.at(self.loop.time() + DELAY_S[1], end.other.hear_end, silence)

    def heal(self, sender: str, recipient: str) -> None:
        """Take one cut back; what was stuck arrives late."""
        self._cuts[sender, recipient] -= 1
        if self._cuts[sender, recipient]:
            return
        del self._cuts[sender, recipient]
        for end in list(self._ends):
            if end.process.name == recipient and end.other.process.name == sender:
                for data in end.held:
                    end.in_context(end.arrive, data)
                end.held.clear()


class SimTransport:
    """The transport of one simulated process."""

    def __init__(self, network: SimNetwork, process: Process) -> None:
        self.process = process
        self._network = network
        self._accept: Accept | None = None

    async def listen(self, accept: Accept) -> str:
        """Start accepting under a new address."""
        self._accept = accept
        return self._network.address_of(self)

    @property
    def is_listening(self) -> bool:
        """Say whether somebody dials in vain."""
        return self._accept is not None and self.process.is_alive

    async def dial(self, address: str, timeout_s: float) -> Connection:
        """Open a stream, or say that nobody answers."""
        network = self._network
        loop = network.loop
        answer: asyncio.Future[SimConnection | None] = loop.create_future()
        listener = network.listener(address)
        if listener is None:
            loop.call_later(network.delay_s(), _resolve, answer, None)
        else:
            loop.call_later(
                network.delay_s(), listener.knock, self, answer, context=listener.process.context
            )
        timer = loop.call_later(timeout_s, _resolve, answer, None)
        try:
            connection = await answer
        finally:
            timer.cancel()
        if connection is None:
            raise PeerUnavailable(f"nobody answers at {address}")
        return connection

    def knock(self, dialler: SimTransport, answer: asyncio.Future[SimConnection | None]) -> None:
        """Accept a stream that another process opens."""
        network = self._network
        near, far = dialler.process, self.process
        if network.is_cut(near, far) or network.is_cut(far, near):
            return
        if self._accept is None or not near.is_alive:
            network.loop.call_soon(_resolve, answer, None, context=near.context)
            return
        one, other = network.connect(near, far)
        network.loop.call_later(network.delay_s(), _opened, answer, one, context=near.context)
        self._accept(other)

    async def close(self) -> None:
        """Stop accepting and end every stream."""
        self._accept = None
        for end in self._network.ends_of(self.process):
            end.close()


def _resolve(answer: asyncio.Future[SimConnection | None], connection: None) -> None:
    if not answer.done():
        answer.set_result(connection)


def _opened(answer: asyncio.Future[SimConnection | None], connection: SimConnection) -> None:
    if answer.done():
        connection.close()
    else:
        answer.set_result(connection)
