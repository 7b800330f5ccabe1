"""Every test of the command line has an empty working directory and no settings around it."""

from __future__ import annotations

from pathlib import Path

import pytest

VARIABLES = (
    "FLEETMIND_DEBUG",
    "FLEETMIND_MODEL",
    "FLEETMIND_REDIS_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "RAY_ADDRESS",
    "REDIS_URL",
)


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
