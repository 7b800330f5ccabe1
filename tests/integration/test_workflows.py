"""A declared workflow from the command line: the example, and a plan that was saved, run again."""

from __future__ import annotations

import json
from pathlib import Path

from cluster import Cluster, Workflow

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "workflows" / "compare.toml"
KNOWLEDGE = ROOT / "examples" / "knowledge"


async def test_the_example_is_run_as_it_is_and_a_saved_plan_runs_the_same_steps(
    tmp_path: Path,
) -> None:
    async with Cluster(model="simulated:") as cluster:
        task = await cluster.submit(workflow=EXAMPLE, knowledge=[KNOWLEDGE])
        answer = await task
        assert task.workflow is not None
        task.workflow.save(tmp_path / "plan.toml")
        again = await cluster.submit(workflow=tmp_path / "plan.toml", knowledge=[KNOWLEDGE])
        await again

    assert answer.citations
    assert [program.step for program in answer.programs] == ["program"], answer.degraded
    assert task.workflow == Workflow.load(EXAMPLE) == again.workflow
    steps = json.loads(json.dumps(task.report.to_json()["steps"]))
    assert [(step["id"], step["outcome"]) for step in steps] == [
        ("first", "finished"),
        ("second", "finished"),
        ("program", "finished"),
    ]
    ends = max(step["finished_s"] for step in steps[:2])
    assert max(step["started_s"] for step in steps[:2]) < ends <= steps[2]["started_s"]
