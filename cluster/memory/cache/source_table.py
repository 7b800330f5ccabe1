"""The sources of a segment: which there are, and which rows are of each.

A part of `cluster.memory.cache.segment`: arrays that are mapped, so that what has 100,000 sources
takes no memory of its own. A put is known by its number, in the order of the versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOURCES_KEPT = 4_096


class SourceTable:
    """Sources as a namespace had them at a version.

    Args:
        arrays: by their names, as `cluster.memory.cache.building` writes them.
        texts: what is told of each source, one after the other.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], texts: NDArray[np.uint8]) -> None:
        self.versions: NDArray[np.int64] = arrays["put_versions"]
        self.put_rows: NDArray[np.int64] = arrays["put_rows"]
        """int64[puts + 1]: the first row of each."""
        self._heirs: NDArray[np.int32] = arrays["heirs"]
        self.has_heirs = bool((self._heirs >= 0).any())
        """Whether any two sources have the same name."""
        self._row_puts: NDArray[np.int32] = arrays["row_puts"]
        self._keys: NDArray[np.bytes_] = arrays["keys"]
        self._key_puts: NDArray[np.int32] = arrays["key_puts"]
        self._text_starts: NDArray[np.int64] = arrays["source_starts"]
        self._texts = texts
        self._read: dict[int, tuple[str, str, str, str]] = {}
        """Some that were asked for: a source is found again and again."""

    def find(self, key: str) -> tuple[int, str] | None:
        """Return version and document of a source, as they were."""
        wanted = np.bytes_(key.encode())
        at = int(np.searchsorted(self._keys, wanted))
        if at == len(self._keys) or self._keys[at] != wanted:
            return None
        put = int(self._key_puts[at])
        return int(self.versions[put]), self.source(put)[1]

    def put_of_version(self, version: int) -> int | None:
        """Return the number of a put, None where there is none of this version."""
        at = int(np.searchsorted(self.versions, version))
        return at if at < len(self.versions) and self.versions[at] == version else None

    def put_of_row(self, row: int) -> int:
        """Return the number of the put that a row is of."""
        return int(self._row_puts[row])

    def source(self, put: int) -> tuple[str, str, str, str]:
        """Return key, document, source and path of a put."""
        known = self._read.get(put)
        if known is None:
            if len(self._read) >= SOURCES_KEPT:
                self._read.clear()
            known = self._read[put] = self._text(put)
        return known

    def _text(self, put: int) -> tuple[str, str, str, str]:
        start, end = self._text_starts[put : put + 2].tolist()
        key, document, source, path = self._texts[start:end].tobytes().decode().split("\0")
        return key, document, source, path

    def heir(self, put: int) -> int:
        """Return the next later put whose source has the same name; -1 where there is none."""
        return int(self._heirs[put])
