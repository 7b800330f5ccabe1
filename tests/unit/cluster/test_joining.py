"""Which cluster a client gets, and what is checked before one is started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# In an interpreter of its own: `cluster.joining` needs gRPC and Redis, which are barred here.
PROBE = """
import json, sys
from pathlib import Path
from cluster.joining import differences
from cluster.settings import Flag, load

def loaded(text, environment, folder=None):
    folder = Path(folder or sys.argv[1])
    (folder / "fleet.toml").write_text(text)
    return load(environment=environment, folder=folder)

def differing(theirs, ours):
    return differences(ours, theirs.settings.public_json())

plain = loaded("", {})
other = Path(sys.argv[1], "other")
other.mkdir()
mine = '[agents.reviewer]\\nclass = "mine:Reviewer"'
print(json.dumps({
    "same": differing(plain, loaded("", {})),
    "deadline": differing(plain, loaded("[task]\\ndeadline_s = 5", {})),
    "ingress": differing(plain, loaded("[serve]\\nport = 8001", {})),
    "second look": differing(plain, loaded("[answer]\\nverify = 'background'", {})),
    "model": differing(plain, loaded("", {"FLEETMIND_MODEL": "simulated:"})),
    "same model": differing(
        loaded("", {"FLEETMIND_MODEL": "simulated:"}), loaded('[model]\\nuri = "simulated:"', {})
    ),
    "not asked for": differing(loaded("", {"FLEETMIND_MODEL": "simulated:"}), plain),
    "key": differing(plain, loaded("", {"OPENAI_API_KEY": "k"})),
    "agent": differing(plain, loaded(mine, {})),
    "same agent": differing(loaded(mine, {}), loaded(mine, {})),
    "same agent elsewhere": differing(loaded(mine, {}), loaded(mine, {}, other)),
    "redis": differing(plain, loaded("", {"REDIS_URL": "redis://:secret@h:1/0"})),
}))
"""


START = """
import sys
from pathlib import Path
from cluster.joining import check_can_start
from cluster.kernel.errors import UsageError
from cluster.settings import load

try:
    check_can_start(load(environment={"FLEETMIND_MODEL": "simulated:"}, folder=Path(sys.argv[1])))
except UsageError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(tmp_path_factory.mktemp("probe"))],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("case", "differing"),
    [
        ("same", []),
        ("deadline", []),
        ("ingress", []),
        ("second look", []),
        ("model", ["model.uri"]),
        ("same model", []),
        ("not asked for", []),
        ("key", []),
        ("agent", ["agents.reviewer"]),
        ("same agent", []),
        ("same agent elsewhere", ["python_path"]),
        ("redis", ["store.redis"]),
    ],
)
def test_a_resident_cluster_will_do_unless_something_else_was_asked_for(
    found: dict[str, list[str]], case: str, differing: list[str]
) -> None:
    assert found[case] == differing


def refusal(folder: Path, sandbox: str) -> str:
    """What is said of a section of the settings before anything is started."""
    (folder / "fleet.toml").write_text(f"[sandbox]\n{sandbox}\n", encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-c", START, str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


@pytest.mark.parametrize(
    ("sandbox", "sentence"),
    [
        ('python = "nowhere"', "[sandbox] python: {folder}/nowhere is no Python; name an"),
        ('python = "fleet.toml"', "[sandbox] python: {folder}/fleet.toml does not answer as a"),
        ('python = "/bin/true"', "[sandbox] python: /bin/true does not answer as a Python does"),
        ("memory_bytes_max = 1000", "[sandbox] memory_bytes_max is 1000: Python does not start"),
        ('enabled = false\npython = "nowhere"', ""),
    ],
)
def test_a_sandbox_that_will_not_do_is_named_before_anything_is_started(
    tmp_path: Path, sandbox: str, sentence: str
) -> None:
    said = refusal(tmp_path, sandbox)

    assert said.startswith(sentence.format(folder=tmp_path))
    assert bool(said) == bool(sentence)
