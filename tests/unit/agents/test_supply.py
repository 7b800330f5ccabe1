"""The agents fill the port that the cluster sees them through."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import supply
from cluster.kernel.errors import UsageError
from cluster.kernel.sections import SandboxSettings
from cluster.supply import Supply, installed_agents


def test_the_installed_agents_fill_the_port() -> None:
    filled: Supply = supply  # checked by mypy, member by member

    assert installed_agents() is filled


def test_each_local_model_says_where_it_lies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert [model.path.name for model in installed_agents().local_models()] == ["smollm2-135m.gguf"]


def test_what_can_not_be_used_is_refused() -> None:
    with pytest.raises(UsageError, match="is no model"):
        installed_agents().check_model("horoscope:mine")


def test_a_sandbox_that_will_not_do_is_refused() -> None:
    with pytest.raises(UsageError, match="memory_bytes_max is 1000"):
        installed_agents().check_sandbox(SandboxSettings(memory_bytes_max=1000))
