"""Ids are UUIDs of version 7, in order, and nobody else's."""

from __future__ import annotations

import random
import uuid

from cluster.kernel.ids import IdSource


def test_an_id_is_a_uuid_of_version_7_that_says_when_it_was_made() -> None:
    ids = IdSource(lambda: 1_700_000_000.125, random.Random(1))

    made = [uuid.UUID(bytes=ids.envelope_id()) for _ in range(3)]

    assert {each.version for each in made} == {7}
    assert {each.variant for each in made} == {uuid.RFC_4122}
    assert {each.int >> 80 for each in made} == {1_700_000_000_125}


def test_ids_of_one_millisecond_are_in_the_order_they_were_made() -> None:
    ids = IdSource(lambda: 5.0, random.Random(1))

    made = [ids.envelope_id() for _ in range(1000)]

    assert made == sorted(set(made))


def test_two_processes_do_not_make_the_same_ids_in_one_millisecond() -> None:
    made = [IdSource(lambda: 5.0, random.Random(seed)).envelope_id()[:15] for seed in range(1000)]

    assert len(set(made)) == len(made)


def test_a_clock_that_goes_back_makes_no_id_twice() -> None:
    walls = iter([5.0, 5.0, 4.0, 5.0, 5.0])
    ids = IdSource(lambda: next(walls), random.Random(1))

    made = [ids.envelope_id() for _ in range(5)]

    assert len(set(made)) == len(made)
