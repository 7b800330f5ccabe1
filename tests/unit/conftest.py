"""Unit tests run without Ray, gRPC and Redis: importing one of them fails, at collection too."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

BARRED = ("ray", "grpc", "redis")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Collects a module of unit tests with the barred libraries out of reach."""
    with pytest.MonkeyPatch.context() as patch:
        _bar(patch)
        return (yield)


@pytest.fixture(autouse=True)
def only_memory_and_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars the libraries while the test runs."""
    _bar(monkeypatch)


def _bar(patch: pytest.MonkeyPatch) -> None:
    for name in BARRED:
        patch.setitem(sys.modules, name, None)  # importing a name bound to None raises
