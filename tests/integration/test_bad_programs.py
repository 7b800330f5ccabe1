"""Programs of a model that loop, fork, fill up or spy: the task ends, and offers none of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agents.models.simulated.script import Line, Lines
from benchmarks.model_server import model_server
from cluster.kernel.events import ProgramRan
from cluster.kernel.sections import SandboxSettings
from tests.support.agents import AgentCluster, Outcome, endpoint
from tests.support.sandbox import real_sandbox

pytestmark = pytest.mark.integration

GOAL = "Write a program that prints the sum of the numbers from 1 to 100."
SECRET = "the-secret-of-this-machine-5051"
LIMITS = SandboxSettings(memory_bytes_max=128 << 20, tmp_bytes_max=8 << 20, processes_max=16)
PLAN = json.dumps({"steps": [{"id": "c1", "agent": "coder", "instruction": GOAL, "needs": []}]})
SUM = "total = sum(range(1, 101))\nprint(total, flush=True)\n"

PROGRAMS = {
    "loops": "while True:\n    pass\n",
    "forks": "import os\nwhile True:\n    os.fork()\n",
    "fills the memory": "held = []\nwhile True:\n    held.append(bytearray(16 << 20))\n",
    "fills the disk": (
        "with open('/tmp/full', 'wb') as full:\n"
        "    while True:\n        full.write(bytes(1 << 20))\n"
    ),
    "prints a gigabyte": "for _ in range(1024):\n    print('5050' * (1 << 18))\n",
    "reads outside": "print(open(PATH).read())\n",
    "spawns what outlives it": (
        "import subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "while True:\n    pass\n"
    ),
}
"""What comes after a program has done what it was asked for."""


@pytest.fixture
async def cluster() -> AsyncIterator[AgentCluster]:
    async with AgentCluster() as made:
        yield made


@pytest.fixture
def secret() -> Iterator[Path]:
    """A file that every user of this machine may read."""
    with TemporaryDirectory(prefix="fleetmind-") as folder:
        path = Path(folder, "secret.txt")
        path.write_text(SECRET, encoding="utf-8")
        path.parent.chmod(0o755)
        yield path


async def run(cluster: AgentCluster, source: str, run_timeout_s: float) -> Outcome:
    lines: Lines = {
        "manager": {
            "plan": Line(PLAN),
            "answer": Line(f"The program prints 5050.\n\n```python\n{source}```"),
        },
        "coder": {"*": Line(f"```python\n{source}```")},
    }
    async with model_server(lines=lines) as server, real_sandbox(LIMITS) as sandbox:
        model = endpoint(server.base_url)
        await cluster.add_real("manager", model)
        await cluster.add_real("coder", model, sandbox, run_timeout_s)
        return await cluster.outcome(GOAL)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_program_that_did_not_end_well_is_not_offered(
    cluster: AgentCluster, secret: Path, name: str
) -> None:
    source = SUM + PROGRAMS[name].replace("PATH", repr(str(secret)))

    outcome = await run(cluster, source, 1.5)

    ran = [event.detail.run for event in outcome.events if isinstance(event.detail, ProgramRan)]
    assert ran
    assert all(run.exit_code != 0 for run in ran)
    assert outcome.answer.programs == ()
    assert "```" not in outcome.answer.text
    assert "5050" not in outcome.answer.text
    assert "No program is offered" in outcome.degraded
    assert SECRET not in str(outcome.events)


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/1/environ", "secret"])
async def test_a_program_that_hides_what_it_could_not_read_has_read_nothing(
    cluster: AgentCluster, secret: Path, path: str
) -> None:
    place = str(secret) if path == "secret" else path
    source = f"try:\n    print(open({place!r}).read())\nexcept OSError:\n    pass\n{SUM}"

    outcome = await run(cluster, source, 10.0)

    [offered] = outcome.answer.programs
    assert offered.program.run is not None
    assert offered.program.run.stdout.strip() == "5050"
