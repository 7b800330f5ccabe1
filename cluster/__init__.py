"""Fleetmind: a low-latency cluster of language-model agents.

`Cluster` and `run` are the Python driver. They load when they are first used, so that importing a
part of this package (as actors do) does not import the rest.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # for checkers it is true; importing `typing` takes a tenth of our start
if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from cluster.client import Cluster, ClusterLink, Note, run
    from cluster.kernel.errors import (
        BrokenPolicy,
        ClusterError,
        Overloaded,
        StateDeleted,
        StateInvalid,
        StoreUnavailable,
        TaskCancelled,
        TaskFailed,
    )
    from cluster.settings import Configuration
    from cluster.workflows import Workflow

__all__ = [
    "BrokenPolicy",
    "Cluster",
    "ClusterError",
    "Overloaded",
    "StateDeleted",
    "StateInvalid",
    "StoreUnavailable",
    "TaskCancelled",
    "TaskFailed",
    "Workflow",
    "run",
]

_DRIVER = "cluster.client"
_ERRORS = "cluster.kernel.errors"
_HOMES = dict.fromkeys(__all__, _ERRORS) | {
    "Cluster": _DRIVER,
    "Workflow": "cluster.workflows",
    "run": _DRIVER,
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name])
    if _HOMES[name] == _DRIVER:
        home.Cluster.default_join = staticmethod(_join)
    value: object = getattr(home, name)
    globals()[name] = value
    return value


def _join(configuration: Configuration, note: Note) -> AbstractAsyncContextManager[ClusterLink]:
    """Get to a cluster as the settings say; loads what that needs, when it is needed."""
    from cluster.joining import join

    return join(configuration, note)


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *__all__})
