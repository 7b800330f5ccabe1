"""What a host is built from is read once, checked, before anything is opened."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import AgentId
from cluster.placement.actor.assembly import load, open_host
from cluster.placement.actor.host_spec import HostSpec
from cluster.settings import Secrets, Settings


@pytest.fixture
def secrets_path(tmp_path: Path) -> Path:
    path = tmp_path / "secrets.json"
    Secrets(token="t", redis_url="redis://127.0.0.1:1").write_secrets(path)
    return path


@pytest.fixture
def shown_secrets_path(secrets_path: Path) -> Path:
    secrets_path.chmod(0o644)
    return secrets_path


def spec(settings_json: str, secrets_path: Path) -> HostSpec:
    return HostSpec(AgentId("coder-0"), settings_json, str(secrets_path))


async def test_secrets_that_others_may_read_are_refused(shown_secrets_path: Path) -> None:
    with pytest.raises(UsageError, match="may be read by others"):
        await open_host(spec(Settings().public_json(), shown_secrets_path))


async def test_settings_of_another_version_are_refused_by_the_name_of_a_key(
    secrets_path: Path,
) -> None:
    later = json.dumps({**asdict(Settings()), "weather": {"is_fine": True}})

    with pytest.raises(UsageError, match="the cluster's settings: unknown key weather"):
        await open_host(spec(later, secrets_path))


def test_a_factory_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="which can't be imported"):
        load("agents.factory:nobody")
