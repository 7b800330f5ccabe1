"""What the local model's server takes in, and what its process says when it can't serve."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agents.models.local.server import context_per_slot

PROGRAM = """
import os
from agents.models.local.server import say_last
os.write(2, b"loading\\n")
say_last("it can't be served\\n")
os.write(2, b"exiting\\n")
"""


def test_what_a_library_logs_late_does_not_follow_the_last_words() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert said.stderr == "loading\nit can't be served\n"


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({}, 4096),
        ({"n_ctx": 32_768}, 8_192),
        ({"n_parallel": 1}, 16_384),
        ({"n_ctx": 6_000, "n_parallel": 2}, 3_000),
        ({"n_ctx": 0}, None),
        ({"kv_unified": True}, 16_384),
        ({"kv_unified": True, "kv_unified_per_slot": 8_192}, 8_192),
    ],
)
def test_a_request_has_its_slots_part_of_the_context(
    options: dict[str, object], tokens: int | None
) -> None:
    assert context_per_slot(options) == tokens
