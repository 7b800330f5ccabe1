"""When a streamed text needs no more reading: given to `Agent.think` as ``is_enough``.

Small models run on after they have said what they can; these let the stream be closed then.
"""

from __future__ import annotations

_FENCE = "```"


class BlockClosed:
    """True once a fenced code block has been closed."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the text so far: it was reasoning."""
        self._line = ""
        self._is_open = False

    def __call__(self, piece: str) -> bool:
        """Take the next piece of text."""
        *whole, self._line = (self._line + piece).split("\n")
        for line in whole:
            if line.strip().startswith(_FENCE):
                if self._is_open:
                    return True
                self._is_open = True
        return self._is_open and self._line.strip() == _FENCE
