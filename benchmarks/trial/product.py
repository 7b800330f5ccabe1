"""Runs the trial's questions through the command line, as a user does, and saves what comes out.

Called by `benchmarks.trial.__main__`. One resident cluster in folders of its own answers all
questions, one after the other; what the search finds for them is looked up beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.trial.grading import Json, plain
from benchmarks.trial.questions import ASYNCIO, ExpectedPassage, Question
from cluster.kernel.clock import SystemClock
from cluster.kernel.vocabulary import Passage
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.learning import learn
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.store.local import LocalStore

DEADLINE_S = 300
FOUND_AMONG = 12
"""A passage counts as found where it is among so many first ones of a query."""
_START_TIMEOUT_S = 300
_ENDING_S = 60
"""What a command may take beyond the task's deadline."""
_FLEETMIND = (sys.executable, "-m", "cluster")
_OWN_FOLDERS = ("XDG_STATE_HOME", "XDG_DATA_HOME")


@dataclass(frozen=True, slots=True)
class Tried:
    """One try of a question, as it is saved and graded again."""

    goal: str
    report: Json
    events: Sequence[Json]
    is_found: bool
    exit_code: int
    python: str

    @classmethod
    def read(cls, path: Path) -> Tried:
        """Read what `write` has written."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**values)

    def write(self, path: Path) -> None:
        """Save it for good."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        path.write_text(text + "\n", encoding="utf-8")


@contextlib.contextmanager
def resident_cluster(model: str) -> Iterator[Mapping[str, str]]:
    """Bring a cluster up whose files lie in a folder of its own; yield its environment.

    The cluster is taken down in the end.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = {name: str(Path(folder) / name) for name in _OWN_FOLDERS}
        environment = os.environ | own
        _command(environment, _START_TIMEOUT_S, "up", "--model", model).check_returncode()
        try:
            yield environment
        finally:
            _command(environment, _START_TIMEOUT_S, "down").check_returncode()


def _command(
    environment: Mapping[str, str], timeout_s: float, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the CLI; what it says on stderr is for who watches the trial."""
    return subprocess.run(
        [*_FLEETMIND, *arguments],
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=timeout_s,
    )


async def tried(question: Question, model: str, environment: Mapping[str, str]) -> Tried:
    """Give one goal to the resident cluster and return all that is known about it in the end."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "events.jsonl"
        ended = _command(
            environment,
            DEADLINE_S + _ENDING_S,
            *("run", question.goal, "--knowledge", str(ASYNCIO), "--model", model),
            *("--deadline", str(DEADLINE_S), "--json", "--events", str(lines)),
        )
        events = _events(lines)
    report: Json = json.loads(ended.stdout)
    passages = await _passages(queries(question, report))
    return Tried(
        goal=question.goal,
        report=report,
        events=events,
        is_found=any(holds(question.passage, passage) for passage in passages),
        exit_code=ended.returncode,
        python=".".join(map(str, sys.version_info[:3])),
    )


def _events(path: Path) -> list[Json]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def queries(question: Question, report: Json) -> list[str]:
    """Return what the documents were searched for: the goal, and what the Researcher was told."""
    steps = (report.get("plan") or {}).get("steps") or ()
    told = (str(step["instruction"]) for step in steps if step["agent"] == "researcher")
    return list(dict.fromkeys((question.goal, *told)))


async def _passages(asked: Sequence[str]) -> list[Passage]:
    """Return the best passages for each query, found in a store beside the cluster's."""
    clock = SystemClock()
    namespaces = LocalNamespaces(LocalStore(clock), clock)
    collection = (await learn(namespaces, [ASYNCIO])).collection
    knowledge = KnowledgeCache(namespaces)
    found = [
        passage
        for query in asked
        for passage in (await knowledge.search(collection, query, FOUND_AMONG)).passages
    ]
    await knowledge.close()
    return found


def holds(expected: ExpectedPassage, passage: Passage) -> bool:
    """Say whether a passage is the expected one."""
    is_there = Path(passage.source).name == expected.file
    return is_there and re.search(expected.contains, plain(passage.text), re.IGNORECASE) is not None
