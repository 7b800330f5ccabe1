"""The application of `serve run` and `serve deploy`: which cluster it serves, and with what."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ray import serve

from cluster.kernel.errors import UsageError
from cluster.placement.local.process_table import ProcessId
from cluster.placement.resident.file import ResidentRecord, write_file
from cluster.placement.serve import application
from cluster.placement.serving.replica_spec import ReplicaSpec
from cluster.settings.config_file import from_public_json
from cluster.settings.values import ServeSettings, Settings, TaskSettings

pytestmark = pytest.mark.integration

RESIDENT = Settings(serve=ServeSettings(replicas=3), task=TaskSettings(deadline_s=20.0))


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def settle() -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None
    record = ResidentRecord(
        process=own,
        session=own,
        since_s=time.time(),
        settings_json=RESIDENT.public_json(),
        secrets_path="/run/secrets.json",
        ray_address="127.0.0.1:6379",
        dashboard_url="",
        agents=(),
    )
    write_file(record)


def bound(built: serve.Application) -> serve.Deployment:
    return built._bound_deployment  # noqa: SLF001 - Serve shows it nowhere else


def spec_of(built: serve.Application) -> ReplicaSpec:
    (spec,) = bound(built).init_args
    assert isinstance(spec, ReplicaSpec)
    return spec


def test_the_resident_cluster_is_served_as_it_is_set() -> None:
    settle()
    built = application({})

    assert spec_of(built).secrets_path == "/run/secrets.json"
    assert from_public_json(spec_of(built).settings_json) == RESIDENT
    assert bound(built).num_replicas == 3


def test_arguments_change_what_they_name_and_nothing_else() -> None:
    settle()
    built = application({"replicas": 5, "drain_s": 60, "origins": ["https://chat.example.org"]})

    own = from_public_json(spec_of(built).settings_json).serve
    assert (own.replicas, own.drain_s, own.port) == (5, 60.0, RESIDENT.serve.port)
    assert own.origins == ("https://chat.example.org",)


def test_another_cluster_is_served_by_its_file_of_secrets_and_settings(tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    config.write_text("[serve]\nreplicas = 4\n", encoding="utf-8")
    built = application({"secrets_path": "/mnt/secrets.json", "config": str(config)})

    assert spec_of(built).secrets_path == "/mnt/secrets.json"
    assert bound(built).num_replicas == 4


def test_without_a_cluster_it_is_said_what_to_do() -> None:
    with pytest.raises(UsageError, match="fleetmind up"):
        application({})


@pytest.mark.parametrize(
    ("args", "named"), [({"replica": 2}, "replica"), ({"replicas": "many"}, "replicas")]
)
def test_a_wrong_argument_is_named(args: dict[str, object], named: str) -> None:
    settle()
    with pytest.raises(UsageError, match=rf"args\.{named} "):
        application(args)


def test_a_number_out_of_its_range_is_refused() -> None:
    settle()
    with pytest.raises(UsageError, match="streams_max must be above 0"):
        application({"streams_max": 0})
