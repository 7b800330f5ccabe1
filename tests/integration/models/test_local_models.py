"""Local models with the real tools: pip on a wheel made here, llama.cpp on the fetched file."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.local import catalog
from agents.models.local.command import local_server, server_command
from agents.models.local.side_process import side_process
from agents.models.port import Asker, Delta, Finish, Message, Request
from agents.planning.schema import plan_schema
from cluster.kernel.errors import ModelError
from cluster.kernel.vocabulary import Role

pytestmark = pytest.mark.integration

GGUF = b"GGUF and more"
(SMOLLM2,) = catalog.catalog()
HAS_LLAMA = importlib.util.find_spec("xllamacpp") is not None
needs_model = pytest.mark.skipif(
    not (HAS_LLAMA and SMOLLM2.is_here),
    reason="needs xllamacpp and `fleetmind models pull smollm2-135m`",
)


def a_wheel(folder: Path) -> Path:
    info = "tiny_model-1.0.dist-info"
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_model/model.gguf", GGUF)
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: not-to-be-had\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def a_model(wheel: Path) -> catalog.LocalModel:
    return catalog.LocalModel(
        name="tiny",
        description="a test's",
        requirement="tiny-model==1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_bytes=wheel.stat().st_size,
        member="tiny_model/model.gguf",
        gguf_sha256=hashlib.sha256(GGUF).hexdigest(),
        gguf_bytes=len(GGUF),
    )


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only place pip may fetch from."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_pip_fetches_the_wheel_without_its_dependencies(shelf: Path) -> None:
    model = a_model(a_wheel(shelf))
    seen: list[tuple[int, int]] = []

    path = catalog.fetch(model, lambda done, total: seen.append((done, total)), catalog.download)

    assert path.read_bytes() == GGUF
    assert seen[-1] == (model.wheel_bytes, model.wheel_bytes)


def test_a_download_that_fails_is_one_sentence(shelf: Path, tmp_path: Path) -> None:
    model = a_model(a_wheel(tmp_path))

    with pytest.raises(ModelError) as failed:
        catalog.fetch(model, print, catalog.download)

    assert str(failed.value) == (
        "tiny-model==1.0 could not be fetched with pip (Could not find a version that satisfies "
        "the requirement tiny-model==1.0 (from versions: none)); check the network, or name a "
        "GGUF file with `--model llama:PATH`"
    )
    assert list(model.path.parent.iterdir()) == []


@pytest.mark.skipif(not HAS_LLAMA, reason="needs xllamacpp")
async def test_a_broken_model_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(GGUF)

    with pytest.raises(ModelError, match=r"ended with 1: llama\.cpp can't serve .*broken\.gguf"):
        async with local_server(str(path)):
            pass


@pytest.mark.skipif(not HAS_LLAMA, reason="needs xllamacpp")
async def test_an_option_that_the_package_does_not_take_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(GGUF)
    command = [*server_command(str(path)), "--options", json.dumps({"n_ctx": "big"})]

    with pytest.raises(ModelError, match=r"m\.gguf: its option n_ctx can't be 'big'"):
        async with side_process(command):
            pass


@pytest.fixture
async def small_model() -> AsyncIterator[OpenAIModel]:
    async with local_server(SMOLLM2.name) as base_url:
        model = OpenAIModel(SMOLLM2.name, base_url, takes_schemas=True)
        yield model
        await model.close()


@needs_model
async def test_the_small_model_answers_in_text_and_in_json(small_model: OpenAIModel) -> None:
    messages = (Message("system", "You are the Researcher."), Message("user", "Name a colour."))
    plain = Request(messages, Asker("t", "researcher", "r1"), tokens_max=8, temperature=0.0)

    for request in (plain, replace(plain, wants_json=True)):
        *deltas, finish = [item async for item in small_model.stream(request)]
        text = "".join(item.text for item in deltas if isinstance(item, Delta))
        assert isinstance(finish, Finish)
        assert finish.prompt_tokens > 0
        assert text
        assert text.lstrip().startswith("{") == request.wants_json


@needs_model
async def test_the_small_model_is_held_to_the_schema_of_a_plan(small_model: OpenAIModel) -> None:
    roles = (Role("researcher", "finds"), Role("poet", "rhymes"))
    request = Request(
        (Message("system", "Write a poem about plans."), Message("user", "Begin.")),
        tokens_max=500,
        temperature=0.0,
        wants_json=True,
        json_schema=plan_schema("What is a plan?", roles, 120),
    )

    *deltas, finish = [item async for item in small_model.stream(request)]

    text = "".join(item.text for item in deltas if isinstance(item, Delta))
    assert isinstance(finish, Finish)
    assert finish.reason == "stop"
    assert json.loads(text)["steps"]


@needs_model
async def test_a_prompt_beyond_the_context_is_said_to_be_that(small_model: OpenAIModel) -> None:
    request = Request((Message("user", "word " * 5000),))

    with pytest.raises(ModelError, match="too small a context for the prompt"):
        await anext(small_model.stream(request))


@needs_model
async def test_the_server_has_the_options_of_the_settings() -> None:
    options = {
        "n_parallel": 1,
        "n_ctx": 512,
        "flash_attn_type": "enabled",
        "cache_type_k": "q8_0",
        "cache_type_v": "q8_0",
        "speculative": {"types": ["ngram_simple"], "ngram_simple": {"size_n": 4, "size_m": 8}},
    }
    request = Request((Message("user", "word " * 100),), tokens_max=20, temperature=0.0)
    longer = replace(request, messages=(Message("user", "word " * 1000),))

    async with local_server(SMOLLM2.name, options) as base_url:
        model = OpenAIModel(SMOLLM2.name, base_url)
        *_, finish = [item async for item in model.stream(request)]
        with pytest.raises(ModelError, match="too small a context for the prompt"):
            await anext(model.stream(longer))
        await model.close()

    assert isinstance(finish, Finish)
    assert finish.completion_tokens > 1


@needs_model
def test_the_server_dies_with_its_parent(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = [*server_command(SMOLLM2.name), "--ready-file", str(ready)]
    parent = textwrap.dedent(f"""
        import os, pathlib, subprocess, time
        child = subprocess.Popen({command!r})
        while not pathlib.Path({str(ready)!r}).exists():
            time.sleep(0.02)
        print(child.pid, flush=True)
        os.kill(os.getpid(), 9)
    """)

    ended = subprocess.run(
        [sys.executable, "-c", parent], capture_output=True, text=True, timeout=60, check=False
    )

    # `run` waits until nobody holds the other end of the pipe, which the server had too.
    assert ended.returncode == -9
    assert ended.stdout.strip().isdigit()
