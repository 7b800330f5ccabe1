"""Two agents over a link that breaks, repeats and overtakes, while either dies or forgets."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kernel.delivery.peer import Peer
from cluster.kernel.delivery.quarantine import DEATHS_MAX
from cluster.kernel.delivery.sequence import CREDIT_WINDOW
from cluster.kernel.envelope import LANE_OF_KIND, Ack, Envelope, Kind, Lane
from cluster.kernel.errors import StaleEpoch, WireError
from cluster.kernel.ids import AgentId, EnvelopeId, StepId, TaskId

KINDS = (Kind.TELL, Kind.ASK, Kind.REPLY, Kind.CANCEL)

STEPS = (StepId("r1"), StepId("c1"))
MOVES = (
    *(["offer"] * 4),
    *(["send", "deliver"] * 4),
    *(["work"] * 3),
    *("abandon", "break", "repeat", "overtake", "die", "forget"),
)

Frame = tuple[list[Envelope], list[Ack]]


@dataclass
class Side:
    """One agent: its record of the other, what it did, and what is under way to it."""

    name: AgentId
    other: AgentId
    peer: Peer = field(init=False)
    inbox: deque[Frame] = field(default_factory=deque)
    effects: list[Envelope] = field(default_factory=list)
    """Of this record of the other, and of the other's record of us, in order."""
    taken: list[Envelope] = field(default_factory=list)
    mailbox: list[Envelope] = field(default_factory=list)
    offered: dict[EnvelopeId, Envelope] = field(default_factory=dict)
    """What this record has to bring there."""
    arrived_here: set[EnvelopeId] = field(default_factory=set)
    """What ever had an effect, at whichever incarnation."""
    arrived_there: set[EnvelopeId] = field(default_factory=set)
    epoch: int = 1
    sessions: int = 0

    def __post_init__(self) -> None:
        self.begin_record()

    def begin_record(self) -> None:
        self.sessions += 1
        self.peer = Peer(self.other, self.name, self.epoch, self.sessions)
        self.offered.clear()
        self.forget_arrivals()

    def forget_arrivals(self) -> None:
        self.effects.clear()
        self.taken.clear()
        self.mailbox.clear()

    def die(self) -> None:
        self.epoch += 1
        self.sessions = 0
        self.begin_record()

    def gather(self) -> Frame:
        return [replace(e) for e in self.peer.take(3)], self.peer.take_acks()

    def receive(self, frame: Frame) -> None:
        """Take a frame as the exchange does.

        Raises:
            WireError: the link must be made anew.
        """
        envelopes, acks = frame
        for ack in acks:
            for envelope in self.peer.acknowledge(ack):
                assert envelope.id in self.arrived_there or envelope.id not in self.offered
                self.offered.pop(envelope.id, None)
        for envelope in envelopes:
            try:
                is_new = self.peer.arrive(replace(envelope))
            except StaleEpoch:
                continue
            if is_new:
                arrived = self._arrived(envelope)
                self.effects.append(arrived)
                self.arrived_here.add(arrived.id)
                if arrived.lane is Lane.WORK:
                    self.mailbox.append(arrived)

    def _arrived(self, envelope: Envelope) -> Envelope:
        running = self.peer._inbound[Lane.WORK].running  # noqa: SLF001 - the object it keeps
        return running.get(envelope.seq, envelope) if envelope.lane is Lane.WORK else envelope

    def work(self) -> None:
        """Take one out of the mailbox, or end what was taken last."""
        if self.mailbox:
            self.taken.append(self.mailbox.pop(0))
            self.peer.taken(self.taken[-1])
        elif self.taken:
            self.peer.done(self.taken.pop())


class Pair:
    """The two, and the link between them."""

    def __init__(self) -> None:
        self.one = Side(AgentId("one-0"), AgentId("two-0"))
        self.two = Side(AgentId("two-0"), AgentId("one-0"))
        self.one.arrived_there = self.two.arrived_here
        self.two.arrived_there = self.one.arrived_here
        self.numbers = itertools.count(1)
        self.old_frames: dict[AgentId, Frame] = {}
        """Of this link, or of one before it that may still be read."""
        self.connect()

    def connect(self) -> None:
        """Break the link, lose what is under way, say hello both ways."""
        for side, other in self.both():
            if not side.peer.is_known_as(other.epoch, other.peer.session):
                self.old_frames.clear()  # such a link is closed
        for side, other in self.both():
            side.inbox.clear()
            if side.peer.meet(other.epoch, other.peer.session):
                side.forget_arrivals()
            for killer in side.peer.take_killers():
                assert other.epoch > DEATHS_MAX
                del side.offered[killer.id]

    def both(self) -> tuple[tuple[Side, Side], tuple[Side, Side]]:
        return (self.one, self.two), (self.two, self.one)

    def side(self, is_one: bool) -> tuple[Side, Side]:  # noqa: FBT001 - which of two
        return self.both()[0 if is_one else 1]

    def offer(self, side: Side, kind: Kind) -> None:
        number = next(self.numbers)
        envelope = Envelope(
            EnvelopeId(number.to_bytes(16, "big")),
            side.name,
            side.other,
            kind,
            "",
            b"",
            TaskId("t"),
            STEPS[number % len(STEPS)],
            lane=LANE_OF_KIND[kind],
        )
        side.peer.offer(envelope)
        side.offered[envelope.id] = envelope

    def abandon(self, side: Side) -> None:
        asks = [e for e in side.offered.values() if e.kind is Kind.ASK]
        if asks:
            side.peer.abandon(asks[0])
            del side.offered[asks[0].id]

    def send(self, side: Side, other: Side) -> None:
        frame = side.gather()
        if any(frame):
            other.inbox.append(frame)

    def deliver(self, side: Side) -> None:
        if side.inbox:
            self.old_frames[side.name] = side.inbox[0]
            self.take(side, side.inbox.popleft())

    def take(self, side: Side, frame: Frame) -> None:
        try:
            side.receive(frame)
        except WireError:
            self.connect()

    def repeat(self, side: Side) -> None:
        if side.name in self.old_frames:
            self.take(side, self.old_frames[side.name])

    def overtake(self, side: Side) -> None:
        if len(side.inbox) > 1:
            side.inbox.rotate(-1)
            self.deliver(side)

    def do(self, move: str, is_one: bool, kind: Kind) -> None:  # noqa: FBT001 - which of two
        side, other = self.side(is_one)
        moves: dict[str, Callable[[], None]] = {
            "offer": lambda: self.offer(side, kind),
            "send": lambda: self.send(side, other),
            "deliver": lambda: self.deliver(side),
            "work": side.work,
            "abandon": lambda: self.abandon(side),
            "break": self.connect,
            "repeat": lambda: self.repeat(side),
            "overtake": lambda: self.overtake(side),
            "die": side.die,
            "forget": side.begin_record,
        }
        moves[move]()
        if move in ("die", "forget"):
            self.connect()
        self.check()

    def check(self) -> None:
        for side, _ in self.both():
            for lane in Lane:
                ids = [e.id for e in side.effects if e.lane is lane]
                assert len(ids) == len(set(ids)), "twice"
                for step in STEPS:  # a suspect may be overtaken by what is of other steps
                    order = [e.id for e in side.effects if e.lane is lane and e.step == step]
                    assert order == sorted(order), "out of order"

    def settle(self) -> None:
        """Let all of it arrive and be done."""
        self.connect()
        for _ in range(400):
            if not any(side.peer.undone_count or side.mailbox for side, _ in self.both()):
                break
            for side, other in self.both():
                self.send(side, other)
                self.deliver(side)
                side.work()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happens_all_arrives_once_in_order_and_the_credit_is_whole_again(
    seed: int,
) -> None:
    rng = random.Random(seed)
    pair = Pair()
    for _ in range(150):
        pair.do(rng.choice(MOVES), rng.random() < 0.5, rng.choice(KINDS))

    pair.settle()

    pair.check()
    for side, other in pair.both():
        assert side.peer.undone_count == 0
        assert not side.offered
        for _ in range(CREDIT_WINDOW):
            pair.offer(side, Kind.TELL)
        assert len(side.peer.take(10_000)) == CREDIT_WINDOW
        assert not other.mailbox


@pytest.mark.parametrize("is_one", [True, False])
@pytest.mark.parametrize("fault", ["break", "die", "forget", "repeat"])
def test_a_fault_at_every_boundary_of_an_ask_loses_and_repeats_nothing(
    fault: str,
    is_one: bool,  # noqa: FBT001 - which of two
) -> None:
    course = [
        ("offer", True, Kind.ASK),
        ("send", True, Kind.ASK),
        ("deliver", False, Kind.ASK),
        ("work", False, Kind.ASK),
        ("offer", False, Kind.REPLY),
        ("send", False, Kind.ASK),
        ("deliver", True, Kind.ASK),
        ("send", True, Kind.ASK),
        ("deliver", False, Kind.ASK),
        ("work", False, Kind.ASK),
        ("send", False, Kind.ASK),
        ("deliver", True, Kind.ASK),
    ]
    for boundary in range(len(course) + 1):
        pair = Pair()
        for move in course[:boundary]:
            pair.do(*move)
        pair.do(fault, is_one, Kind.ASK)
        for move in course[boundary:]:
            pair.do(*move)
        pair.settle()

        pair.check()
        assert [side.peer.undone_count for side, _ in pair.both()] == [0, 0]
        assert [len(side.offered) for side, _ in pair.both()] == [0, 0]
