"""Builds an agent from its class's name and the settings of its parts, inside its own process.

Called by the runtime's side through this function's name, never imported there. Heavy parts are
imported when they are built.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

from agents.agent import Agent, Parts
from agents.tools.ports import Knowledge
from cluster.kernel.errors import UsageError

if TYPE_CHECKING:
    from agents.tools.sandbox import SandboxLimits


def build_agent(
    class_path: str,
    *,
    model_uri: str,
    base_url: str,
    api_key: str,
    knowledge: Knowledge,
    sandbox_limits: SandboxLimits | None = None,
) -> Agent:
    """Return a new agent of the class that ``module:Class`` names.

    Raises:
        UsageError: there is no such class, it is no agent, or the model's URI or key is wrong.
    """
    agent_class = load_agent_class(class_path)
    from agents.models.uri import build_model
    from agents.tools.sandbox import BubblewrapSandbox

    model = build_model(model_uri, base_url=base_url, api_key=api_key)
    sandbox = BubblewrapSandbox(sandbox_limits)
    return agent_class(Parts(model=model, knowledge=knowledge, sandbox=sandbox))


def load_agent_class(class_path: str) -> type[Agent]:
    """Return the class that ``module:Class`` names; its message types are in `handlers()`.

    Raises:
        UsageError: the module can't be imported, or the class is missing or no agent.
    """
    module_name, colon, class_name = class_path.partition(":")
    if not (colon and module_name and class_name.isidentifier()):
        raise UsageError(f"{class_path!r} is no agent class; write it as module:Class")
    try:
        module = importlib.import_module(module_name)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"the module {module_name!r} of the agent class {class_path!r} can't be imported: "
            f"{type(error).__name__}: {error}"
        ) from error
    agent_class = getattr(module, class_name, None)
    if not inspect.isclass(agent_class):
        raise UsageError(f"the module {module_name!r} has no class {class_name!r}")
    if not issubclass(agent_class, Agent):
        raise UsageError(f"{class_path} is no agent: let it inherit from agents.Agent")
    if not agent_class.handlers():
        raise UsageError(f"{class_path} handles nothing: mark a method with @handles")
    return agent_class
