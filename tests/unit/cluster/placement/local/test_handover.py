"""What a process is given when it is started."""

from __future__ import annotations

import subprocess
import sys

from cluster.placement.local.handover import hand_over, take_over

CHILD = """
import sys
from cluster.placement.local.handover import take_over
sys.stdout.write(take_over(int(sys.argv[1])))
"""


def test_a_process_reads_what_it_was_given_however_long_it_is() -> None:
    text = "a word, " * 100_000
    descriptor = hand_over(text)

    told = subprocess.run(
        [sys.executable, "-c", CHILD, str(descriptor)],
        pass_fds=(descriptor,),
        check=True,
        capture_output=True,
        text=True,
    )

    assert told.stdout == text
    assert take_over(descriptor) == ""
