"""A digest differs with everything that an entry says but its record."""

from __future__ import annotations

import hashlib

from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest


def test_it_is_the_beginning_of_a_hash_that_anybody_can_make() -> None:
    hashed = hashlib.sha1(b"a\xc3\xa9\0" + b"12\0" + b"1" * 32, usedforsecurity=False).digest()

    assert entry_digest("a\u00e9", 12, "1" * 32) == int.from_bytes(hashed[:6])


def test_entries_that_differ_have_other_digests_below_the_modulus() -> None:
    entries = [("a", 1, "d"), ("a", 11, "d"), ("a1", 1, "d"), ("a", 1, "1d"), ("", 1, "d")]
    digests = {entry_digest(*each) for each in entries}

    assert len(digests) == len(entries)
    assert all(0 <= each < DIGEST_MODULUS for each in digests)
