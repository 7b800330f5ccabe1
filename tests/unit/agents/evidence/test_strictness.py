"""What a sentence needs to be shown, of which model."""

from __future__ import annotations

import pytest

from agents.evidence.strictness import SupportMode


@pytest.mark.parametrize(
    ("support", "is_embedded", "is_strict", "may_turn"),
    [
        (SupportMode.AUTO, True, True, False),
        (SupportMode.AUTO, False, False, True),
        (SupportMode.STRICT, True, True, False),
        (SupportMode.STRICT, False, True, False),
        (SupportMode.MARKED, True, False, False),
        (SupportMode.MARKED, False, False, False),
    ],
)
def test_only_where_the_settings_leave_it_open_it_is_the_models_to_decide(
    support: SupportMode, *, is_embedded: bool, is_strict: bool, may_turn: bool
) -> None:
    assert support.is_strict(is_embedded=is_embedded) is is_strict
    assert support.may_turn_strict(is_embedded=is_embedded) is may_turn
