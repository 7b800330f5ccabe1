"""An agent's host, as `benchmarks.agent_host` serves it, that measures how long journalling takes.

Its last line on standard error is JSON: for each task the seconds in which something waited for the
journal (of a Manager) or for the record of a step (of the others). What waits at the same time is
counted each by itself.
"""

from __future__ import annotations

import json
import sys

from benchmarks import agent_host
from benchmarks.stopwatch import timed, waited_s
from cluster.memory.journal.redis import RedisJournal
from cluster.runtime.turns.step_records import StepRecords

TIMED: dict[type, tuple[str, ...]] = {
    RedisJournal: ("claim", "append", "acknowledge"),
    StepRecords: ("find", "keep"),
}
"""The methods on whose way a task waits; all take the task, or something of it, first."""


def main() -> None:
    """Serve, then tell what was measured."""
    for owner, names in TIMED.items():
        for name in names:
            setattr(owner, name, timed(getattr(owner, name)))
    agent_host.main()
    print(json.dumps(waited_s), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
