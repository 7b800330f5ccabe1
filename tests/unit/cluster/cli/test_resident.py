"""``fleetmind status``: what is shown of the cluster that stays, and how it exits."""

from __future__ import annotations

import io
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.cli.console import Console
from cluster.cli.entry import execute
from cluster.cli.resident import status
from cluster.kernel.cache_statistics import CacheStatistics, NamespaceStatistics
from cluster.kernel.delivery.dead_letters import DeadLetter
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.registration import Registration
from cluster.placement.local.process_table import ProcessId
from cluster.placement.resident.control import ClusterStatus
from cluster.placement.resident.file import ResidentRecord, write_file
from cluster.settings import load

SERVING = Registration(AgentId("manager-0"), "127.0.0.1:7", 3)


def resident(folder: Path, *, since_s: float = 0.0) -> ResidentRecord:
    environment = {"FLEETMIND_MODEL": "simulated:", "REDIS_URL": "redis://:secret@h:1/0"}
    settings = load(environment=environment, folder=folder).settings
    own = ProcessId.of(os.getpid())
    assert own is not None
    return ResidentRecord(
        process=own,
        session=own,
        since_s=time.time() - since_s,
        settings_json=settings.public_json(),
        secrets_path="",
        ray_address="127.0.0.1:6379",
        dashboard_url="http://127.0.0.1:8265",
        agents=("manager-0", "coder-0"),
    )


def shown(found: ClusterStatus | StoreUnavailable | None) -> tuple[int, str, str]:
    async def look() -> ClusterStatus | None:
        if isinstance(found, StoreUnavailable):
            raise found
        return found

    console = Console(out := io.StringIO(), err := io.StringIO())
    code = execute(["status"], console, lambda options, console: status(options, console, look))
    return code, out.getvalue(), err.getvalue()


def test_no_cluster_is_said_with_how_to_start_one() -> None:
    assert shown(None) == (1, "no cluster is up; `fleetmind up` starts one\n", "")


@pytest.mark.parametrize(
    ("since_s", "duration"), [(65.0, "1 min"), (125.0, "2 min"), (7_500.0, "2 h"), (1e6, "12 d")]
)
def test_a_cluster_is_shown_with_its_parts(tmp_path: Path, since_s: float, duration: str) -> None:
    found = ClusterStatus(resident(tmp_path, since_s=since_s), (SERVING,))

    _, out, _ = shown(found)

    assert f"up         for {duration}, process {os.getpid()}\n" in out
    assert "model      simulated:\n" in out
    assert "store      redis://h:1/0\n" in out
    assert "dashboard  http://127.0.0.1:8265" in out
    assert "manager-0  serving at 127.0.0.1:7, incarnation 3\n" in out


def test_the_process_of_an_agent_is_shown_where_it_is_known(tmp_path: Path) -> None:
    _, out, _ = shown(ClusterStatus(resident(tmp_path), (replace(SERVING, pid=4711),)))

    assert "manager-0  serving at 127.0.0.1:7, process 4711, incarnation 3\n" in out


def test_an_agent_that_does_not_serve_is_named_and_the_exit_says_so(tmp_path: Path) -> None:
    code, out, _ = shown(ClusterStatus(resident(tmp_path), (SERVING,)))

    assert code == 1
    assert "coder-0    not serving: it is being restarted\n" in out


def test_an_agent_that_does_not_answer_is_marked_and_the_exit_says_so(tmp_path: Path) -> None:
    coder = Registration(AgentId("coder-0"), "127.0.0.1:8", 1, pid=12)
    found = ClusterStatus(
        resident(tmp_path), (SERVING, coder), silent=frozenset({AgentId("coder-0")})
    )

    code, out, _ = shown(found)

    assert code == 1
    assert "coder-0    not answering at 127.0.0.1:8, process 12, incarnation 1\n" in out
    assert "manager-0  serving at" in out


def test_what_an_agent_holds_of_the_knowledge_is_shown_below_it(tmp_path: Path) -> None:
    docs = NamespaceStatistics("docs", 3, 1_200, 5, 2_500_000, 1, "")
    serving = replace(SERVING, knowledge=CacheStatistics((docs,), 1, 20, 3, stale_s=2.0))

    _, out, _ = shown(ClusterStatus(resident(tmp_path), (serving,)))

    assert (
        "  docs@3: 1,200 passages (5 in no segment), 2.5 MB\n"
        "  look-ups: 1 memo, 20 local, 3 central, no word from the store for 2 s\n"
    ) in out


def test_nothing_is_said_of_the_knowledge_where_none_is_held(tmp_path: Path) -> None:
    serving = replace(SERVING, knowledge=CacheStatistics())

    _, out, _ = shown(ClusterStatus(resident(tmp_path), (serving,)))

    assert "look-ups" not in out


def test_what_was_given_up_is_shown_the_newest_last(tmp_path: Path) -> None:
    letters = tuple(
        DeadLetter(
            time.time() - 125.0,
            AgentId("manager-0"),
            AgentId("coder-0"),
            TaskId("t"),
            StepId(f"c{number}"),
            "fleetmind.v1.Assignment",
            6,
            "5 incarnations of coder-0 died holding it",
            number,
        )
        for number in range(1, 9)
    )

    _, out, _ = shown(ClusterStatus(resident(tmp_path), (SERVING,), letters))

    assert "given up   8 messages so far" in out
    assert out.endswith(
        "  2 min ago, manager-0 to coder-0, fleetmind.v1.Assignment t c8:"
        " 5 incarnations of coder-0 died holding it\n"
    )
    assert (" c3:" in out, " c4:" in out) == (False, True)


def test_nothing_is_said_of_what_was_given_up_where_nothing_was(tmp_path: Path) -> None:
    _, out, _ = shown(ClusterStatus(resident(tmp_path), (SERVING,)))

    assert "given up" not in out


def test_all_agents_serving_exits_0(tmp_path: Path) -> None:
    coder = Registration(AgentId("coder-0"), "127.0.0.1:8", 1)

    code, out, _ = shown(ClusterStatus(resident(tmp_path), (SERVING, coder)))

    assert (code, "not serving" in out) == (0, False)


def test_a_store_that_does_not_answer_is_said_beside_what_is_known(tmp_path: Path) -> None:
    write_file(resident(tmp_path))

    code, out, err = shown(StoreUnavailable("the store is silent"))

    assert (code, err) == (1, "fleetmind: the store is silent\n")
    assert "model      simulated:\n" in out
