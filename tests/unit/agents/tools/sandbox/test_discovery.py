"""What is said where bubblewrap is refused."""

from __future__ import annotations

import pytest

from agents.tools.sandbox.discovery import explain_refusal

COMPLAINT = "bwrap: setting up uid map: Permission denied"


@pytest.mark.parametrize(
    ("switches", "remedy"),
    [
        (
            {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1"},
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            {"/proc/sys/kernel/unprivileged_userns_clone": "0"},
            "sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            {"/proc/sys/user/max_user_namespaces": "0"},
            "sysctl -w user.max_user_namespaces=10000",
        ),
        ({"/proc/sys/user/max_user_namespaces": "5000"}, "--security-opt seccomp=unconfined"),
        ({}, "--security-opt seccomp=unconfined"),
    ],
)
def test_a_refusal_is_one_sentence_with_cause_and_remedy(
    switches: dict[str, str], remedy: str
) -> None:
    sentence = explain_refusal(COMPLAINT, switches)

    assert COMPLAINT in sentence
    assert remedy in sentence
    assert "\n" not in sentence
