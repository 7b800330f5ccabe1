"""One link: a connection with the hellos of both ends, and what is sent over it.

What is queued within one pass of the event loop goes as one frame at its end, or as a few where it
is much; nothing waits for a frame to fill, and the link waits for nothing. It has no tasks: the
connection calls it, and it calls its keeper.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.packing import PART_BYTES, Assembler, Packer
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import PROTOCOL_VERSION, Ack, Batch, Frame, Goodbye, Hello
from cluster.kernel.errors import ClusterError, PeerUnavailable, WireError
from cluster.kernel.ids import AgentId
from cluster.transport.port import Connection
from cluster.wire.codec import BODY_BYTES_MAX

_log = logging.getLogger(__name__)

HELLO_TIMEOUT_S = 5.0
ACK_DELAY_S = 0.01
"""How long an ack waits for others like it: making and reading one costs as much as an envelope,
and nothing but memory depends on it."""
ENVELOPES_PER_TAKE = 64
AT_ONCE = 16
"""So many go at once and not at the end of the pass: else a whole window of asks and answers would
move to and fro, and either end would idle while the other one works on it."""


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
        self._is_coalescing = is_coalescing
        self._packer = Packer()
        self._assembler = Assembler(BODY_BYTES_MAX)
        self._loop = asyncio.get_running_loop()
        self._hello_timer: asyncio.TimerHandle | None = None
        self._ack_timer: asyncio.TimerHandle | None = None
        self._is_flush_due = False
        self._woken = 0
        """How often since the last frame."""
        self._woken_in_pass = 0
        self._is_calm = True
        """The last pass of the event loop that had something to send had one thing."""
        self._is_blocked = False
        """There was something to send, and the connection took no more."""
        self._has_more = False
        """One frame did not take all there is."""
        self._are_acks_due = True
        self._is_ending = False
        self._is_over = False
        self._has_greeted = False
        self.is_open = False
        """The peer has said hello."""
        self.peers: dict[AgentId, Peer] = {}
        """Agents that live at the other end."""
        self.sends_to: dict[AgentId, Peer] = {}
        """Those of them for whom this is the link we send on."""
        self.heard_at = self.opened_at = clock.now()
        """When the peer was last heard of, and when it said hello, on the monotonic clock."""
        self.stuck_since: tuple[int, float] | None = None
        """The receipts there were when something sent began to wait for its own, and when."""
        self.end_reason = ""
        self.is_peer_leaving = False
        """The other side has said goodbye: its host is stopping."""

    def start(self, ours: Hello | None) -> None:
        """Say hello and wait for the peer's; None waits for it first, as who was dialled does."""
        self._hello_timer = self._loop.call_later(
            HELLO_TIMEOUT_S, self.fail, "the peer did not say hello in time"
        )
        self._has_greeted = ours is not None
        if ours is not None:
            self._connection.write(ours)
        self._connection.start(self)

    # ---- sending ---------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something to send: at the end of this pass of the event loop.

        Where the last such pass had no more than one, the first of this one goes at once.
        """
        self._woken += 1
        self._woken_in_pass += 1
        if not self._is_flush_due and self._is_coalescing:
            self._is_flush_due = True
            self._loop.call_soon(self._pass_ended)
            if self._is_calm:
                self._flush()
        elif not self._is_coalescing or self._woken >= AT_ONCE:
            self._flush()

    def wake_soon(self) -> None:
        """There is an ack: send it in a little while, whatever else is sent then."""
        if self._ack_timer is None and not self._is_over:
            self._ack_timer = self._loop.call_later(ACK_DELAY_S, self._ack_due)

    def _ack_due(self) -> None:
        self._ack_timer = None
        self._are_acks_due = True
        self._flush()

    def _pass_ended(self) -> None:
        self._is_flush_due = False
        self._is_calm = self._woken_in_pass <= 1
        self._woken_in_pass = 0
        if self._woken:
            self._flush()

    def _flush(self) -> None:
        """Send all that is queued, as far as the connection takes it."""
        self._woken = 0
        self._is_blocked = False
        try:
            while self.is_open and not self._is_over:
                if not self._connection.is_writable:
                    self._is_blocked = True
                    return
                batch = self._gather()
                if batch is not None:
                    self._connection.write(batch)
                if not self._has_more:
                    break
            if self._is_ending and not self._is_over:
                self._connection.write(Goodbye(self.end_reason))
                self._connection.close()
                self._finish()
        except Exception:  # noqa: BLE001 - a link that could no longer send would never end
            _log.exception("a link ended in an error of ours")
            self.fail("an error of ours")

    def _gather(self) -> Batch | None:
        """Return what is queued for the peers of this link, in one frame within its limits."""
        packer = self._packer
        acks: list[Ack] = []
        for peer in self.sends_to.values():
            while packer.size < PART_BYTES:
                taken = peer.take(ENVELOPES_PER_TAKE)
                if taken:
                    packer.add(taken)
                if len(taken) < ENVELOPES_PER_TAKE:
                    break
            if self._are_acks_due or self._is_ending or peer.has_urgent_news:
                acks += peer.take_acks()
        self._are_acks_due = False
        may_have_left_some = packer.size >= PART_BYTES
        batch = packer.pack(acks)
        self._has_more = may_have_left_some or packer.size > 0
        return batch

    def silent_s(self) -> float:
        """Return for how long nothing has come."""
        return self._clock.now() - self.heard_at

    # ---- receiving -------------------------------------------------------------------------

    def on_frame(self, frame: Frame) -> None:
        """Take the next frame; what can't be accepted ends the link."""
        if self._is_over:
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
            case Batch() if self.is_open:
                batch = self._assembler.assemble(frame) if frame.parts else frame
                self._on_batch(self, batch)
            case Hello() if not self.is_open:
                self._on_hello(frame)
            case Goodbye(reason) if self.is_open:
                self.is_peer_leaving = True
                self.fail(reason)
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
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        self._keeper.on_hello(self, theirs)
        self._greet(theirs)
        self.is_open = True
        self.opened_at = self._clock.now()
        self.wake()

    def _greet(self, theirs: Hello) -> None:
        if not self._has_greeted:
            self._has_greeted = True
            self._connection.write(self._keeper.hello_to(theirs))

    def on_writable(self) -> None:
        """Go on with what the connection did not take."""
        if self._is_blocked:
            self._flush()

    def on_end(self, error: ClusterError | None) -> None:
        """The connection has ended."""
        if not self._is_over:
            self.end_reason = str(error or PeerUnavailable("the peer ended the stream"))
            self._finish()

    # ---- ending ----------------------------------------------------------------------------

    def end(self, reason: str) -> None:
        """Send what is queued, say goodbye, and end."""
        if not self.is_open:
            self.fail(reason)
        elif not self._is_over:
            self.end_reason = reason
            self._is_ending = True
            self.wake()

    def fail(self, reason: str) -> None:
        """End without sending what is queued."""
        if not self._is_over:
            self.end_reason = reason
            self._connection.close()
            self._finish()

    def _finish(self) -> None:
        self._is_over = True
        for timer in (self._hello_timer, self._ack_timer):
            if timer is not None:
                timer.cancel()
        self._keeper.on_link_end(self)
