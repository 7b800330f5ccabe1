"""One task chained and broadcast, by agents in processes of their own on a real store."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
STORY = "The bridge was built in 1894. It is 244 metres long."

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


async def test_a_broadcast_task_does_again_only_what_came_too_late_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    answers, starts, redone = {}, {}, {}
    async with Cluster(config=ROOT / "examples/broadcast/fleet.toml") as cluster:
        for coherence in ("chained", "broadcast"):
            task = await cluster.submit("What is there to say of it?", coherence=coherence)
            answers[coherence] = (await task).text
            events = [event async for event in task]
            starts[coherence] = Counter(e.step for e in events if e.kind == "step_started")
            redone[coherence] = [event.step for event in events if event.kind == "stale"]

    assert answers["chained"] == f"2 facts on a bridge\n{STORY}"
    assert answers["broadcast"] == f"News of a bridge\n{STORY}"
    assert starts["chained"] == {"report": 1, "design": 1, "write": 1}
    assert starts["broadcast"] == {"report": 1, "design": 1, "write": 2}
    assert redone == {"chained": [], "broadcast": ["write"]}
