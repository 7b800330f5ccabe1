"""One link: a connection with the hellos of both ends, and what is sent over it.

What is queued within one pass of the event loop goes as one frame at its end, or as a few where it
is much; nothing waits for a frame to fill, and the link waits for nothing. Only progress that comes
right after a frame waits for a moment, unless something else goes. It has no tasks: the connection
calls it, and it calls its keeper.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.pace import Pace
from cluster.kernel.delivery.packing import Assembler
from cluster.kernel.delivery.peer import Outgoing, Peer
from cluster.kernel.envelope import PROTOCOL_VERSION, Batch, Frame, Goodbye, Hello
from cluster.kernel.errors import ClusterError, PeerUnavailable, WireError
from cluster.kernel.ids import AgentId
from cluster.transport.port import Connection
from cluster.wire.codec import BODY_BYTES_MAX

_log = logging.getLogger(__name__)

HELLO_TIMEOUT_S = 5.0
ACK_DELAY_S = 0.01
"""How long an ack waits for others like it: making and reading one costs as much as an envelope,
and nothing but memory depends on it."""


class Stage(IntEnum):
    """How far a link has got; it only goes on."""

    DIALLED = 1
    """By the peer, whose hello comes first."""
    GREETED = 2
    """We have said hello, and the peer has not."""
    OPEN = 3
    ENDING = 4
    """It ends when what is queued was sent."""
    OVER = 5


_OPEN, _OVER = Stage.OPEN, Stage.OVER
"""Of an enum a member is looked up at some cost, which a frame need not pay."""


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """Why nothing goes over a link any longer."""

    reason: str
    is_peer_leaving: bool = False
    """The other side has said goodbye: its host is stopping."""


class LinkKeeper(Protocol):
    """Who keeps the links of a host. What the first two raise, and who takes batches, ends one."""

    def hello_to(self, theirs: Hello) -> Hello:
        """Return our answer to the hello of who dialled us."""
        ...

    def on_hello(self, link: Link, theirs: Hello) -> None:
        """Take note of who lives at the other end."""
        ...

    def on_link_end(self, link: Link) -> None:
        """Nothing goes over the link any longer; called exactly once."""
        ...


@dataclass(slots=True)
class _Timers:
    """What a link waits for beside the other side."""

    hello: asyncio.TimerHandle | None = None
    ack: asyncio.TimerHandle | None = None
    progress: asyncio.TimerHandle | None = None


class Link:
    """A connection and the peers reached over it; the receiver of the connection's frames."""

    def __init__(
        self,
        connection: Connection,
        keeper: LinkKeeper,
        on_batch: Callable[[Link, Batch], None],
        *,
        clock: Clock,
        is_coalescing: bool = True,
    ) -> None:
        self._connection = connection
        self._keeper = keeper
        self._on_batch = on_batch
        self._clock = clock
        self._pace = Pace(is_coalescing=is_coalescing)
        self._assembler = Assembler(BODY_BYTES_MAX)
        self._timers = _Timers()
        self._flushed_at = -math.inf
        """When all that was queued was sent last, on the monotonic clock."""
        self._is_blocked = False
        """There was something to send, and the connection took no more."""
        self._stage = Stage.DIALLED
        self.peers: dict[AgentId, Peer] = {}
        """Agents that live at the other end."""
        self.outgoing = Outgoing()
        self.heard_at = self.opened_at = clock.now()
        """When the peer was last heard of, and when it said hello, on the monotonic clock."""
        self.end: LinkEnd | None = None
        """Set before the keeper hears of the end."""

    def start(self, ours: Hello | None) -> None:
        """Say hello and wait for the peer's; None waits for it first, as who was dialled does."""
        self._timers.hello = asyncio.get_running_loop().call_later(
            HELLO_TIMEOUT_S, self.fail, "the peer did not say hello in time"
        )
        if ours is not None:
            self._stage = Stage.GREETED
            self._connection.write(ours)
        self._connection.start(self)

    # ---- sending ---------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something to send: now, or at the end of this pass of the event loop."""
        pace = self._pace
        was_awaited = pace.is_end_awaited
        is_due = pace.wake()
        if pace.is_end_awaited and not was_awaited:
            asyncio.get_running_loop().call_soon(self._end_pass)
        if is_due:
            self._flush()

    def wake_for_progress(self) -> None:
        """There is progress to send: now, or a moment after the frame before."""
        if self._timers.progress is not None:
            return
        wait_s = self._pace.progress_wait_s(self._clock.now() - self._flushed_at)
        if not wait_s:
            self.wake()
        elif self._stage is not _OVER:
            loop = asyncio.get_running_loop()
            self._timers.progress = loop.call_later(wait_s, self._progress_due)

    def _progress_due(self) -> None:
        self._timers.progress = None
        self._flush()

    def wake_soon(self) -> None:
        """There is an ack: send it in a little while, whatever else is sent then."""
        if self._timers.ack is None and self._stage is not _OVER:
            self._timers.ack = asyncio.get_running_loop().call_later(ACK_DELAY_S, self._ack_due)

    def _ack_due(self) -> None:
        self._timers.ack = None
        self.outgoing.are_acks_due = True
        self._flush()

    def _end_pass(self) -> None:
        if self._pace.end_pass():
            self._flush()

    def _flush(self) -> None:
        """Send all that is queued, as far as the connection takes it."""
        self._pace.flush()
        self._flushed_at = self._clock.now()
        self._is_blocked = False
        if self._timers.progress is not None:
            self._timers.progress.cancel()
            self._timers.progress = None
        try:
            outgoing = self.outgoing
            while _OPEN <= self._stage < _OVER:
                if not self._connection.is_writable:
                    self._is_blocked = True
                    return
                batch = outgoing.next_frame()
                if batch is not None:
                    self._connection.write(batch)
                if not outgoing.has_more:
                    break
            if self._stage is Stage.ENDING and self.end is not None:
                self._connection.write(Goodbye(self.end.reason))
                self._connection.close()
                self._end(self.end)
        except Exception:  # noqa: BLE001 - a link that could no longer send would never end
            _log.exception("a link ended in an error of ours")
            self.fail("an error of ours")

    def silent_s(self) -> float:
        """Return for how long nothing has come."""
        return self._clock.now() - self.heard_at

    # ---- receiving -------------------------------------------------------------------------

    def on_frame(self, frame: Frame) -> None:
        """Take the next frame; what can't be accepted ends the link."""
        if self._stage is _OVER:
            return
        self.heard_at = self._clock.now()
        try:
            self._take(frame)
        except ClusterError as error:
            self.fail(str(error))
        except Exception:  # noqa: BLE001 - a frame is a containment point
            _log.exception("a frame ended its link in an error of ours")
            self.fail("an error of ours")

    def _take(self, frame: Frame) -> None:
        match frame:
            case Batch() if self._stage >= _OPEN:
                batch = self._assembler.assemble(frame) if frame.parts else frame
                self._on_batch(self, batch)
            case Hello() if self._stage < _OPEN:
                self._on_hello(frame)
            case Goodbye(reason) if self._stage >= _OPEN:
                self._fail(LinkEnd(reason, is_peer_leaving=True))
            case Hello():
                raise WireError("the peer said hello twice")
            case _:
                raise WireError("the peer's first frame was not a hello")

    def _on_hello(self, theirs: Hello) -> None:
        if theirs.version != PROTOCOL_VERSION:
            self._greet(theirs)  # so that it can say the same
            raise WireError(
                f"the peer speaks version {theirs.version} of the protocol,"
                f" we speak {PROTOCOL_VERSION}"
            )
        if self._timers.hello is not None:
            self._timers.hello.cancel()
        self._keeper.on_hello(self, theirs)
        self._greet(theirs)
        self._stage = _OPEN
        self.opened_at = self._clock.now()
        self.wake()

    def _greet(self, theirs: Hello) -> None:
        if self._stage is Stage.DIALLED:
            self._stage = Stage.GREETED
            self._connection.write(self._keeper.hello_to(theirs))

    def on_writable(self) -> None:
        """Go on with what the connection did not take."""
        if self._is_blocked:
            self._flush()

    def on_end(self, error: ClusterError | None) -> None:
        """The connection has ended."""
        if self._stage is not _OVER:
            self._end(LinkEnd(str(error or PeerUnavailable("the peer ended the stream"))))

    # ---- ending ----------------------------------------------------------------------------

    def finish(self, reason: str) -> None:
        """Send what is queued, say goodbye, and end."""
        if self._stage < _OPEN:
            self.fail(reason)
        elif self._stage is not _OVER:
            self.end = LinkEnd(reason)
            self._stage = Stage.ENDING
            self.outgoing.is_ending = True
            self.wake()

    def fail(self, reason: str) -> None:
        """End without sending what is queued."""
        self._fail(LinkEnd(reason))

    def _fail(self, end: LinkEnd) -> None:
        if self._stage is not _OVER:
            self._connection.close()
            self._end(end)

    def _end(self, end: LinkEnd) -> None:
        self.end = end
        self._stage = _OVER
        for timer in (self._timers.hello, self._timers.ack, self._timers.progress):
            if timer is not None:
                timer.cancel()
        self._keeper.on_link_end(self)
