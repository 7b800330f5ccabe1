"""Which envelopes may have killed their recipient, and how the others are kept from harm.

A poison message kills each incarnation that handles it. The sender can't see which of the
envelopes that a dead incarnation held was the one, so those that were held twice are suspects:
of these one at a time is out. From then on poison kills only itself, and what never kills alone
never reaches `DEATHS_MAX`. Order is kept within a step, not between a suspect and other steps.
Each sender suspects for itself; two senders' suspects may still meet at one recipient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cluster.kernel.envelope import Envelope
from cluster.kernel.ids import EnvelopeId, StepId, TaskId

SUSPECT_DEATHS = 2
"""Incarnations that died holding an envelope until it is sent alone."""

DEATHS_MAX = 5
"""Incarnations that died holding an envelope until it is sent to no other."""


class Quarantine:
    """Holds back suspects and what must not overtake them; part of an `Outbound`."""

    __slots__ = ("_deaths", "_held", "_keys", "_out")

    def __init__(self) -> None:
        self._deaths: dict[EnvelopeId, int] = {}
        """Of envelopes that aren't done: how many incarnations died holding them."""
        self._held: dict[EnvelopeId, Envelope] = {}
        self._keys: set[tuple[TaskId, StepId]] = set()
        """Steps that something is held back of."""
        self._out: EnvelopeId | None = None
        """The suspect that was let out and isn't done."""

    def __len__(self) -> int:
        """Return how many are held back."""
        return len(self._held)

    def __contains__(self, envelope: Envelope) -> bool:
        """Say whether an envelope is held back."""
        return envelope.id in self._held

    def __iter__(self) -> Iterator[Envelope]:
        """Yield what is held back, in order."""
        yield from list(self._held.values())

    def begin(self, held_at_death: Sequence[Envelope]) -> list[Envelope]:
        """Begin anew after a recipient died holding these; return what has killed too many.

        Nothing is held back then: every envelope is to be shown to `holds_back` again, in order.
        """
        self._held.clear()
        self._keys.clear()
        self._out = None
        killers: list[Envelope] = []
        for envelope in held_at_death:
            deaths = self._deaths.get(envelope.id, 0) + 1
            self._deaths[envelope.id] = deaths
            if deaths >= DEATHS_MAX:
                del self._deaths[envelope.id]
                killers.append(envelope)
        return killers

    def holds_back(self, envelope: Envelope) -> bool:
        """Keep an envelope where it must wait for a suspect; say whether it was kept."""
        if not self._deaths:
            return False
        is_suspect = self._deaths.get(envelope.id, 0) >= SUSPECT_DEATHS
        key = (envelope.task, envelope.step)
        if key in self._keys or (is_suspect and self._out is not None):
            self._held[envelope.id] = envelope
            self._keys.add(key)
            return True
        if is_suspect:
            self._out = envelope.id
        return False

    def let_go(self, envelope: Envelope) -> Sequence[Envelope]:
        """Forget an envelope that is done or not wanted; return what may be sent now, in order."""
        if not self._deaths:
            return ()
        self._deaths.pop(envelope.id, None)
        was_held = self._held.pop(envelope.id, None) is not None
        if envelope.id == self._out:
            self._out = None
        elif not was_held:
            return ()
        waiting = list(self._held.values())
        self._held.clear()
        self._keys.clear()
        return [envelope for envelope in waiting if not self.holds_back(envelope)]
