"""Builds an agent from its class's name and the settings of its parts, inside its own process.

Called by the runtime's side through this function's name, never imported there. Heavy parts are
imported when they are built.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from agents.agent import ATTEMPTS_MAX, PASSAGES_MAX, Agent, Parts
from agents.evidence.strictness import SupportMode
from agents.tools.ports import Knowledge
from agents.tools.sandbox.bubblewrap import build_sandbox
from cluster.kernel.errors import UsageError
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import (
    AnswerSettings,
    ModelEntry,
    ModelSettings,
    RouterSettings,
    SandboxSettings,
)
from cluster.kernel.vocabulary import PlanRequest

NO_ENTRIES: Mapping[str, ModelEntry] = MappingProxyType({})
NO_ROUTER = RouterSettings(enabled=False)
NO_KEYS: Mapping[str, str] = MappingProxyType({})
if TYPE_CHECKING:  # only the Manager has any
    from agents.routes import Routes

EMBEDDED_PASSAGE_CHARS_MAX = 1_000
"""What of the documents the embedded model is shown at once: on two cores it reads 170 tokens a
second."""
LOCAL_PASSAGES_MAX = 6
"""Of a model on this machine: one of 1.5 billion parameters reads 60 tokens/s on two cores."""
LOCAL_PASSAGE_CHARS_MAX = 5_000
LOCAL_TEMPERATURE = 0.2
"""llama.cpp's own is 0.8, at which a small model misremembers names and copies badly."""
EMBEDDED_ATTEMPTS_MAX = 1
"""A small model hardly ever repairs its program; a runnable example is tried instead."""


def build_agent(
    class_path: str,
    *,
    model: ModelSettings,
    api_key: str,
    knowledge: Knowledge,
    sandbox: SandboxSettings,
    answer: AnswerSettings,
    models: Mapping[str, ModelEntry] = NO_ENTRIES,
    model_keys: Mapping[str, str] = NO_KEYS,
    router: RouterSettings = NO_ROUTER,
) -> Agent:
    """Return a new agent of the class that ``module:Class`` names.

    Raises:
        UsageError: there is no such class, it is no agent, or the model's URI or key is wrong.
    """
    from agents.models.build import model_of, tokens_max_of
    from agents.models.uri import build_model

    agent_class = load_agent_class(class_path)
    built = model_of(model, api_key, models, model_keys, build_model)
    uri = ModelUri.parse(model.uri)
    is_embedded = uri.is_embedded
    agent = agent_class(
        Parts(
            model=built.model,
            knowledge=knowledge,
            sandbox=build_sandbox(sandbox),
            run_timeout_s=sandbox.timeout_s,
            support=SupportMode(answer.support),
            is_embedded=is_embedded,
            returns_early=model.early_return,
            judges_early=answer.judge_early,
            cuts_loops=is_embedded,
            passages_max=LOCAL_PASSAGES_MAX if uri.is_local else PASSAGES_MAX,
            attempts_max=EMBEDDED_ATTEMPTS_MAX if is_embedded else ATTEMPTS_MAX,
            temperature=None if is_embedded or not uri.is_local else LOCAL_TEMPERATURE,
            passage_chars_max=_passage_chars_max(uri),
            tokens_max=tokens_max_of(model),
        )
    )
    agent.endpoint_speeds = built.speeds
    if PlanRequest in agent_class.handlers():
        agent.routes = _routes(router)
    return agent


def _routes(settings: RouterSettings) -> Routes | None:
    """Return where easy goals go, of an agent that plans.

    Raises:
        UsageError: a function that the settings name can't be used.
    """
    if not settings.enabled:
        return None
    from agents.routes import Routes
    from agents.routing.default_router import DefaultRouter
    from agents.routing.functions import intent_of, load_functions
    from cluster.memory.knowledge.embedder import WordLlamaEmbedder

    functions = load_functions(settings.functions)
    own = [intent_of(function) for function in functions.values()]
    return Routes(DefaultRouter(WordLlamaEmbedder().embed_here, own), functions)


def _passage_chars_max(uri: ModelUri) -> int | None:
    if uri.is_embedded:
        return EMBEDDED_PASSAGE_CHARS_MAX
    return LOCAL_PASSAGE_CHARS_MAX if uri.is_local else None


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
    if not (agent_class.handlers() or agent_class.subscribes()):
        raise UsageError(
            f"{class_path} handles nothing: mark a method with @handles or @subscribes"
        )
    return agent_class
