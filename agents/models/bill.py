"""What one call of a model has cost, as far as its stream tells.

Kept by `agents.models.call`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agents.models.port import Deed, Finish, Note, Request
from cluster.kernel.events import Spent

_CHARACTERS_PER_TOKEN = 4
_CLOSING = " \t\r\n`~"


@dataclass(slots=True)
class Tail:
    """What has come since the text was whole and in use; nobody is shown it."""

    left_s: float
    """What the turn had left when it went on."""
    deltas: int = 0
    text: str = ""

    def take(self, text: str) -> None:
        """Add a delta."""
        self.deltas += 1
        self.text += text

    @property
    def says_more(self) -> bool:
        """Whether it is more than blanks and a closing fence."""
        return bool(self.text.strip(_CLOSING))


@dataclass(slots=True)
class Bill:
    """Grows with the stream; times are what the turn has left."""

    request: Request
    began_left_s: float = 0.0
    deltas: int = 0
    finish: Finish | None = None
    """What the endpoint says itself."""
    tail: Tail | None = None
    noted: Spent = field(default_factory=lambda: Spent(on="model", seconds=0.0))
    """What policies say of the call."""
    _lost: int = 0
    """Of the deltas, those of attempts that were given up."""
    _counted: int = 0
    """Of the lost ones, those that the endpoint counts among its `Finish.void_tokens`."""
    _unsent: int = 0
    """Characters of the request that the attempt was not sent."""

    def void(self, *, is_counted: bool = False) -> None:
        """Count what was streamed so far as wasted: another attempt begins.

        Args:
            is_counted: as that of `Restarted`.
        """
        lost = self.deltas - self._lost
        self._counted += lost if is_counted else 0
        self._lost, self._unsent = self.deltas, 0
        wasted = self.noted.wasted_tokens + lost
        self.noted = replace(self.noted, wasted_tokens=wasted)

    def note(self, note: Note) -> None:
        """Add what a policy has cost and saved."""
        self._unsent = note.unsent_characters or self._unsent
        self.noted = replace(
            self.noted,
            wasted_tokens=self.noted.wasted_tokens + note.wasted_tokens,
            saved_tokens=self.noted.saved_tokens + note.saved_tokens,
            saved_s=self.noted.saved_s + note.saved_s,
            hedges=self.noted.hedges + (note.deed is Deed.HEDGED),
        )

    def spent(self, left_s: float, *, is_used: bool) -> Spent:
        """Return it all; where the endpoint could not say, deltas are counted as tokens.

        What came after the text was in use is wasted, and how long that took was saved. What would
        have come where the stream was cut nobody knows, and it isn't counted.
        """
        finish = self.finish
        if finish is None:
            characters = self.request.characters - self._unsent
            written = self.deltas - self._lost
            finish = Finish("", characters // _CHARACTERS_PER_TOKEN, written)
        unneeded = self.tail.deltas if self.tail else 0
        unused = unneeded if is_used else finish.completion_tokens
        # What an endpoint has written in vain was shown in part, or not at all. What other attempts
        # have lost, such as those of another replica, it knows nothing of.
        void = self._lost - self._counted + max(self._counted, finish.void_tokens)
        used_left_s = self.tail.left_s if self.tail else left_s
        return replace(
            self.noted,
            seconds=self.began_left_s - used_left_s,
            prompt_tokens=finish.prompt_tokens,
            completion_tokens=finish.completion_tokens + void,
            wasted_tokens=self.noted.wasted_tokens + unused,
            saved_s=self.noted.saved_s + used_left_s - left_s,
            cost=finish.cost,
        )
