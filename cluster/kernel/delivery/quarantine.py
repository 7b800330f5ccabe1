"""Which envelopes may have killed their recipient, and how the others are kept from harm.

A poison message kills each incarnation that handles it. The sender can't see which of the
envelopes that a dead incarnation held was the one. Those that were held at two deaths are
suspects: of these one at a time is out, beside what is new. One that was held at four is sent
quite alone; only that can be its last, so nothing is given up for having been near poison. Order
is kept within a step, not between a suspect and other steps. Each sender suspects for itself: two
senders' suspects may still meet at one recipient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cluster.kernel.envelope import Envelope
from cluster.kernel.ids import EnvelopeId, StepId, TaskId

SUSPECT_DEATHS = 2
"""Incarnations that died holding an envelope until no other such one is out with it."""

DEATHS_MAX = 5
"""Incarnations that died holding an envelope until it is sent to no other."""


class Quarantine:
    """Holds back suspects and what must not overtake them; part of an `Outbound`."""

    __slots__ = ("_deaths", "_held", "_is_trial", "_keys", "_out")

    def __init__(self) -> None:
        self._deaths: dict[EnvelopeId, int] = {}
        """Of envelopes that aren't done: how many incarnations died holding them."""
        self._held: dict[EnvelopeId, Envelope] = {}
        self._keys: set[tuple[TaskId, StepId]] = set()
        """Steps that something is held back of."""
        self._out: EnvelopeId | None = None
        """The suspect that was let out and isn't done."""
        self._is_trial = False
        """It is out alone."""

    def __len__(self) -> int:
        """Return how many are held back."""
        return len(self._held)

    def __contains__(self, envelope: Envelope) -> bool:
        """Say whether an envelope is held back."""
        return envelope.id in self._held

    def __iter__(self) -> Iterator[Envelope]:
        """Yield what is held back, in order."""
        yield from list(self._held.values())

    def begin(
        self, died_with: Sequence[Envelope], waiting: Sequence[Envelope]
    ) -> tuple[list[Envelope], list[Envelope]]:
        """Begin anew with what waits, after a recipient died with some of it.

        Returns:
            What has killed too many and is not kept, and what may be sent; each in order.
        """
        killers: list[Envelope] = []
        for envelope in died_with:
            deaths = self._deaths.get(envelope.id, 0) + 1
            self._deaths[envelope.id] = deaths
            if deaths >= DEATHS_MAX:
                del self._deaths[envelope.id]
                killers.append(envelope)
        self._out = None
        given_up = {envelope.id for envelope in killers}
        return killers, self._sort([e for e in waiting if e.id not in given_up])

    def hold_back(self, envelope: Envelope) -> bool:
        """Keep a new envelope where it must wait for a suspect; say whether it was kept."""
        if not self._held and not self._is_trial:
            return False
        is_held = self._is_trial or (envelope.task, envelope.step) in self._keys
        if is_held:
            self._hold(envelope)
        return is_held

    def let_go(self, envelope: Envelope) -> Sequence[Envelope]:
        """Forget an envelope that is done or not wanted; return what may be sent now, in order."""
        if self._out is None and not self._deaths:
            return ()
        self._deaths.pop(envelope.id, None)
        was_held = self._held.pop(envelope.id, None) is not None
        if envelope.id == self._out:
            self._out = None
        elif not was_held or self._is_trial:
            return ()
        return self._sort(list(self._held.values()))

    def _sort(self, waiting: Sequence[Envelope]) -> list[Envelope]:
        """Hold back what must wait; return the rest."""
        self._held.clear()
        self._keys.clear()
        self._is_trial = False
        if not self._deaths:
            self._out = None
            return list(waiting)
        last = next((e for e in waiting if self._deaths.get(e.id, 0) >= DEATHS_MAX - 1), None)
        if last is not None:
            first = next(e for e in waiting if (e.task, e.step) == (last.task, last.step))
            return self._try_alone(first, waiting)
        free: list[Envelope] = []
        for envelope in waiting:
            is_suspect = self._deaths.get(envelope.id, 0) >= SUSPECT_DEATHS
            if (envelope.task, envelope.step) in self._keys or (is_suspect and self._out):
                self._hold(envelope)
                continue
            if is_suspect:
                self._out = envelope.id
            free.append(envelope)
        return free

    def _try_alone(self, tried: Envelope, waiting: Sequence[Envelope]) -> list[Envelope]:
        self._is_trial = True
        self._out = tried.id
        for envelope in waiting:
            if envelope is not tried:
                self._hold(envelope)
        return [tried]

    def _hold(self, envelope: Envelope) -> None:
        self._held[envelope.id] = envelope
        self._keys.add((envelope.task, envelope.step))
