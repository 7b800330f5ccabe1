"""A number that tells two states of a namespace apart, kept up to date entry by entry.

A namespace's digest is the sum of its live entries' digests modulo `DIGEST_MODULUS`. Called by
whoever keeps one: `cluster.memory.namespaces.local`, and the readers in `cluster.memory.cache`; the
scripts of `cluster.memory.namespaces.redis` compute the same in Lua.
"""

from __future__ import annotations

import hashlib

DIGEST_MODULUS = 2**48
"""Redis' Lua counts in doubles: sums of two digests stay far below 2**53, so they are exact."""
_DIGITS = 12
"""Of SHA-1 in hexadecimal, as many as the modulus has."""


def entry_digest(key: str, version: int, document: str) -> int:
    """Return the digest of a live entry, a number below `DIGEST_MODULUS`."""
    text = f"{key}\0{version}\0{document}"
    hashed = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return int(hashed[:_DIGITS], 16)
