"""Which requests chat clients make for themselves: held against a labelled set."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.conversation import ChatMessage
from cluster.serving.asides import is_aside
from tests.support.chat_requests import ASIDES, GOALS, HELD_OUT, Asked

DOCS = Path(__file__).parents[4] / "docs" / "http.md"


def is_found(asked: Asked) -> bool:
    """Whether a request is taken for a client's own."""
    system = (ChatMessage("system", asked.system),) if asked.system else ()
    return is_aside(asked.goal, system)


def test_the_set_is_large_enough_to_tell() -> None:
    assert len(set(ASIDES)) >= 60
    assert len(set(GOALS)) >= 200


@pytest.mark.parametrize("asked", ASIDES)
def test_a_template_of_a_client_is_recognised(asked: Asked) -> None:
    assert is_found(asked)


def test_nothing_that_a_person_asks_is_taken_for_a_clients_own() -> None:
    assert [asked for asked in GOALS if is_found(asked)] == []


def test_what_the_docs_say_of_templates_that_were_not_known_is_so() -> None:
    found = sum(map(is_found, HELD_OUT))

    assert f"{found} of {len(HELD_OUT)}" in DOCS.read_text(encoding="utf-8")


def test_what_the_docs_say_of_the_set_is_so() -> None:
    text = DOCS.read_text(encoding="utf-8")

    assert f"{len(set(ASIDES))} requests" in text
    assert f"{len(set(GOALS))} goals" in text


def test_a_goal_after_an_aside_in_the_history_is_a_goal() -> None:
    before = [ChatMessage("user", ASIDES[0].goal), ChatMessage("assistant", "Kestrels")]

    assert not is_aside("How do kestrels hunt?", before)
