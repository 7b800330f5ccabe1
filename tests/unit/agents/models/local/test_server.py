"""What the process of the local model's server says when it can't serve."""

from __future__ import annotations

import subprocess
import sys

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
