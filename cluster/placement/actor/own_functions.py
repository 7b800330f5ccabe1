"""A program's own ways of merging, found by the names that edits call them.

A process knows those of the classes that it uses; the Manager uses none of a user's classes, and
looks at the documents all the same. Used by `cluster.placement.actor.assembly`.
"""

from __future__ import annotations

import importlib
import logging
from types import FunctionType

from cluster.kernel.state.own_policies import MergeFunction
from cluster.placement.actor.own_modules import OwnModules

_log = logging.getLogger(__name__)


class OwnFunctions:
    """Imports functions from the modules of a user's agents, and from no others.

    A name stands in the log, where whoever can write to the store has put it: it must not be able
    to have any function called that is installed.

    Args:
        modules: of the user's agents.
    """

    def __init__(self, modules: OwnModules) -> None:
        self._modules = modules

    def find(self, name: str) -> MergeFunction | None:
        """Return what ``module:qualname`` names; None where the user has no such function."""
        module, _, qualname = name.partition(":")
        self._modules.install()
        if not self._modules.owns(module):
            return None
        try:
            found: object = importlib.import_module(module)
            for part in qualname.split("."):
                found = getattr(found, part)
        except Exception as error:  # noqa: BLE001 - a user's module may raise anything
            _log.warning("the policy %s can't be imported: %r", name, error)
            return None
        if not isinstance(found, FunctionType):
            return None
        return found if (found.__module__, found.__qualname__) == (module, qualname) else None
