"""A GGUF file of a known size while it comes: what the hub's client writes to, and its progress.

It looks at what comes before any of it is kept. Proxies, sign-in pages and copies of a hub without
its large files answer 200 with something else, which would lie in front of what comes next. Made by
`agents.models.local.hub`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, BinaryIO, Self

from cluster.kernel.errors import ModelError

GGUF_MAGIC = b"GGUF"
_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)[\s>]", re.IGNORECASE)
"""How a page begins, by the WHATWG's MIME Sniffing."""

BytesDone = Callable[[int, int], None]
"""Called with the bytes that have come and those that will have come."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """What is to come, and from where."""

    name: str
    hub: str
    size_bytes: int


class IncomingFile:
    """Adds what comes to what is kept.

    The client of the hub uses it as a file: it seeks only to begin again, and then truncates.

    Args:
        kept: opened for appending.
        awaited: what is to come.
        progress: called before each piece is kept.
    """

    def __init__(self, kept: BinaryIO, awaited: Awaited, progress: BytesDone) -> None:
        self._kept = kept
        self._awaited = awaited
        self._progress = progress
        self._done = kept.seek(0, os.SEEK_END)
        self._announced: int | None = None
        """How long the file is by the answer that is being read; None where that isn't known."""

    @property
    def bar(self) -> Any:
        """What the client is to make its progress bar with."""
        return partial(_Bar, self._announce)

    def tell(self) -> int:
        """Return where the next piece belongs."""
        return self._done

    def seek(self, offset: int) -> int:
        """Go to the beginning, where a server sends the whole again."""
        self._done = offset
        return offset

    def truncate(self) -> None:
        """Forget the last answer; what is kept stays until the file itself is seen to come."""
        self._announced = None

    def write(self, piece: bytes) -> None:
        """Keep a piece.

        Raises:
            ModelError: it is of something else.
        """
        done = self._done + len(piece)
        if not self._done:
            self._check_beginning(piece)
            self._kept.truncate(0)
        if done > self._awaited.size_bytes:  # the client would go on without an end
            self._kept.truncate(0)
            raise ModelError(
                f"{self._awaited.name} comes as more than the {self._awaited.size_bytes:,} bytes "
                f"that {self._awaited.hub} says; it was not kept, look at what stands between you "
                "and the hub"
            )
        self._progress(done, self._awaited.size_bytes)
        self._kept.write(piece)
        self._done = done

    def _announce(self, total: int | None) -> None:
        """Take note of a length; of a beginning it is judged with what comes, if anything does."""
        self._announced = total
        if self._is_other_length and (self._done or not total):
            raise self._instead(self._lengths)
        self._progress(self._done, self._awaited.size_bytes)

    def _check_beginning(self, piece: bytes) -> None:
        if _PAGE.match(piece):
            raise self._instead("an HTML page")
        if piece.startswith(_POINTER):
            raise self._instead("a pointer of git-lfs")
        if self._is_other_length:
            raise self._instead(self._lengths)
        if not piece.startswith(GGUF_MAGIC):
            raise ModelError(
                f"{self._awaited.name} is no GGUF file, whatever its name: choose another one"
            )

    @property
    def _is_other_length(self) -> bool:
        return self._announced not in {None, self._awaited.size_bytes}

    @property
    def _lengths(self) -> str:
        return (
            f"{self._announced:,} bytes, and {self._awaited.hub} says {self._awaited.size_bytes:,}"
        )

    def _instead(self, came: str) -> ModelError:
        return ModelError(
            f"{self._awaited.name} did not come: in its place came {came}; nothing of it was kept, "
            "look at what stands between you and the hub"
        )


class _Bar:
    """What the client takes for its progress bar: it is told how much the answer announces."""

    def __init__(
        self, announce: Callable[[int | None], None], *, total: int | None, **_shown: object
    ) -> None:
        announce(total)

    def update(self, count: int) -> None:
        """Nothing is shown."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing was opened."""
