"""The models fill the port that the cluster sees them through."""

from __future__ import annotations

import pytest

from agents.models import supply
from cluster.kernel.errors import UsageError
from cluster.model_supply import ModelSupply, installed_models


def test_the_installed_models_fill_the_port() -> None:
    filled: ModelSupply = supply  # checked by mypy, member by member

    assert installed_models() is filled


def test_the_catalog_says_where_each_model_lies() -> None:
    assert [model.path.name for model in installed_models().catalog()] == ["smollm2-135m.gguf"]


def test_what_can_not_be_used_is_refused() -> None:
    with pytest.raises(UsageError, match="is no model"):
        installed_models().check_model("horoscope:mine")
