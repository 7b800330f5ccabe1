"""Which package `agents` the cluster takes its models from."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from cluster.kernel.errors import UsageError
from cluster.supply import installed_agents


def test_another_package_of_that_name_is_told_from_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agents", ModuleType("agents"))

    with pytest.raises(UsageError, match="openai-agents"):
        installed_agents()
