"""``fleetmind doctor`` and the hub with what a run has: Redis, Ray, a sandbox, a model server."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents.models.local import catalog
from agents.models.local.hub import HubFile, pull_from_hub
from benchmarks.model_server import model_server
from cluster.doctor import services
from cluster.doctor.diagnosis import Severity
from cluster.kernel.sections import ModelSettings, SandboxSettings
from cluster.settings import Configuration, Secrets, Settings
from cluster.settings.values import RaySettings, ServeSettings, StoreSettings
from tests.support.commands import Surroundings, surroundings
from tests.support.hub import Hub, served_hub

pytestmark = pytest.mark.integration

SMOLLM2 = catalog.catalog()[0]
needs_model = pytest.mark.skipif(
    not (importlib.util.find_spec("xllamacpp") and SMOLLM2.is_here),
    reason="needs xllamacpp and `fleetmind models pull smollm2-135m`",
)
PULLED = "hf:owner/name/tiny.gguf"
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
async def place() -> AsyncIterator[Surroundings]:
    with surroundings() as made:
        yield made
        await made.nothing_is_left()


@pytest.fixture(autouse=True)
def no_resident_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def with_redis(url: str) -> Configuration:
    return Configuration(Settings(store=StoreSettings(redis=url)), Secrets(redis_url=url))


async def test_a_machine_that_is_well_is_said_to_be_and_nothing_is_left(
    place: Surroundings,
) -> None:
    ended = await place.fleetmind("doctor", "--json", "--model", "simulated:")

    found = json.loads(ended.out)
    wrong = [each for each in found["checks"] if each["severity"] == "wrong"]
    assert (wrong, ended.exit_code, ended.err) == ([], 0, "")
    assert [each["check"] for each in found["checks"]] == [
        *("python", "ray", "store", "sandbox", "model"),
        *("tokens", "ports", "disk", "limits", "proxies"),
    ]
    assert not (place.folder / "DATA").exists()


async def test_a_start_that_fails_is_followed_by_what_is_wrong_with_the_machine(
    place: Surroundings,
) -> None:
    (place.folder / "file").write_text("no folder")

    ended = await place.fleetmind(
        *("run", "why?", "--model", "simulated:"), XDG_DATA_HOME=str(place.folder / "file")
    )

    assert ended.exit_code == 1
    *_, failed, found = ended.lines
    assert "no folder for the embedded store's data" in failed
    assert found.startswith("fleetmind: disk: what was learned can't be kept in ")


async def test_a_store_that_answers_is_well(redis_url: str) -> None:
    found = await services.try_store(with_redis(redis_url))

    assert found.severity is Severity.OK


async def test_a_store_of_an_older_version_is_left_for_the_next_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    kept = tmp_path / "fleetmind" / "store-0" / "redis-5" / "dump.rdb"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"of a Redis that is older")
    open_to_all = Settings(serve=ServeSettings(host="0.0.0.0"))  # noqa: S104

    found = await services.try_store(Configuration(open_to_all, Secrets()))

    assert (found.severity, found.says) == (
        Severity.OK,
        "the embedded Redis answers, the next run starts with a copy of what Redis 5 has kept",
    )
    assert files_in(tmp_path) == [kept]


async def test_a_store_that_is_not_there_is_wrong() -> None:
    found = await services.try_store(with_redis(NOWHERE))

    assert found.severity is Severity.WRONG
    assert f"the store at {NOWHERE} can't be reached" in found.says


async def test_an_ingress_for_others_without_a_token_is_a_warning(redis_url: str) -> None:
    configuration = with_redis(redis_url)
    settings = replace(configuration.settings, serve=ServeSettings(host="0.0.0.0"))  # noqa: S104

    found = await services.try_store(replace(configuration, settings=settings))

    assert found.severity is Severity.WARNING
    assert "`fleetmind tokens add NAME` makes one" in found.says


async def test_a_ray_that_does_not_answer_at_its_address_is_wrong() -> None:
    found = await services.try_ray(Settings(ray=RaySettings(address="127.0.0.1:1")))

    assert found.severity is Severity.WRONG
    assert "no Ray cluster answers at 127.0.0.1:1" in found.says


async def test_the_sandbox_is_tried() -> None:
    assert (await services.try_sandbox(Settings())).says == "a program ran in it"


async def test_a_sandbox_that_is_switched_off_is_what_was_wanted() -> None:
    found = await services.try_sandbox(Settings(sandbox=SandboxSettings(enabled=False)))

    assert found.severity is Severity.OK


async def test_a_sandbox_that_will_not_do_is_wrong() -> None:
    found = await services.try_sandbox(Settings(sandbox=SandboxSettings(memory_bytes_max=1)))

    assert found.severity is Severity.WRONG


async def test_an_endpoint_is_asked_for_one_token() -> None:
    async with model_server() as server:
        model = ModelSettings(uri="openai:", base_url=server.base_url)

        found = await services.try_model("model", model, "", 10.0)

    assert found.severity is Severity.OK
    assert f"openai: at {server.base_url} answered a call of one token" in found.says


async def test_an_endpoint_that_is_not_there_is_wrong() -> None:
    model = ModelSettings(uri="openai:x", base_url="http://127.0.0.1:1/v1")

    found = await services.try_model("models.small", model, "", 10.0)

    assert (found.check, found.severity) == ("models.small", Severity.WRONG)


async def test_a_file_is_pulled_by_its_name_with_its_progress_and_how_it_is_used(
    place: Surroundings,
) -> None:
    with served_hub(Hub(b"GGUF" + bytes(1 << 20))) as hub:
        ended = await place.fleetmind("models", "pull", PULLED, HF_ENDPOINT=hub.url)

    path = place.folder / "CACHE" / "fleetmind" / "models" / "hub" / "owner" / "name" / "tiny.gguf"
    assert (ended.exit_code, ended.out) == (0, f"{PULLED} is at {path}\n")
    assert ended.lines == [
        *(f"fleetmind: fetching {PULLED}: {percent} % of 1 MB" for percent in range(0, 101, 10)),
        f"fleetmind: `--model llama:{PULLED}` uses it",
    ]
    assert path.read_bytes() == hub.content
    assert list((place.folder / "home").iterdir()) == []


async def test_a_pull_that_fails_is_one_sentence(place: Surroundings) -> None:
    ended = await place.fleetmind("models", "pull", PULLED, HF_ENDPOINT="http://127.0.0.1:1")

    [said] = ended.lines
    assert (ended.exit_code, ended.out) == (1, "")
    assert f"{PULLED} could not be fetched from http://127.0.0.1:1 (ConnectError: " in said


@needs_model
async def test_a_model_that_was_pulled_from_a_hub_is_loaded_and_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = Hub(SMOLLM2.path.read_bytes(), file="smollm2.gguf")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with served_hub(hub):
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        pull_from_hub(HubFile.parse("hf:owner/name/smollm2.gguf"), lambda _done, _total: None)

    model = ModelSettings(uri="llama:hf:owner/name/smollm2.gguf")
    found = await services.try_model("model", model, "", 60.0)

    assert found.severity is Severity.OK, found.says
