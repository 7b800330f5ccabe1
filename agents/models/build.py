"""The model that an agent asks, made of the settings: the adapters, and the policies around them.

Called by `agents.factory`. From the inside out: the endpoint's client, what it is shown of a
prompt, whether its reasoning needs more room, how many calls it takes at once, whether it is left
alone for a while, what it costs; then a tier's replicas, measured and hedged; around all of them,
which tier answers where one can't.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from agents.models.endpoint.options import NO_HEADERS
from agents.models.local.server import context_per_slot
from agents.models.policies.breaking import BreakerModel
from agents.models.policies.fallback import FallbackModel, Rung
from agents.models.policies.fitted import FittedModel
from agents.models.policies.hedged import HedgedModel
from agents.models.policies.limited import LimitedModel
from agents.models.policies.priced import PricedModel
from agents.models.policies.uncapped import UncappedModel
from agents.models.port import Delta, Model, Request, StreamItem
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import (
    NO_ENGINE,
    EngineSettings,
    ModelEntry,
    ModelSettings,
    ModelTier,
)
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.tail.hedger import HedgeRules

EMBEDDED_TOKENS_MAX = 120
"""Of one call of the embedded model, where the settings name no other bound: on two cores it writes
30 to 100 tokens a second, and doesn't always come to an end."""


class Adapter(Protocol):
    """Builds the model of a URI."""

    def __call__(
        self,
        uri: str,
        *,
        base_url: str = "",
        api_key: str = "",
        engine: EngineSettings = NO_ENGINE,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Model:
        """Return it; raises UsageError where the URI, the URL, the key or an option is wrong."""
        ...


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """What an agent asks, and what is learned of the endpoints behind it."""

    model: Model
    speeds: Mapping[str, EndpointSpeed]
    """By the names of the endpoints and their models."""


@dataclass(frozen=True, slots=True)
class _Single:
    name: str
    settings: ModelSettings
    tier: ModelTier
    model: Model
    speed: EndpointSpeed


class EmbeddedModel:
    """Streams from a model of the catalogue; says with each piece of text who wrote it.

    It may stand in for another model, or be one of several replicas: whoever judges the text can't
    know from the settings whose it is.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Yield what the model says; the text as its own. Raises what the model raises."""
        async with aclosing(self._model.stream(request)) as items:
            async for item in items:
                yield replace(item, is_embedded=True) if isinstance(item, Delta) else item

    async def warm(self) -> None:
        """Get ready to be called."""
        await self._model.warm()

    async def close(self) -> None:
        """Give the model's connections back."""
        await self._model.close()


def model_of(
    main: ModelSettings,
    api_key: str,
    others: Mapping[str, ModelEntry],
    keys: Mapping[str, str],
    adapter: Adapter,
) -> BuiltModel:
    """Return the model of the settings.

    Args:
        main: [model].
        api_key: of it.
        others: [models.NAME], by name.
        keys: of those that have one.
        adapter: builds the model of a single URI, as `agents.models.uri.build_model` does.

    Raises:
        UsageError: a URI or a key is wrong.
    """
    bound = tokens_max_of(main)  # no agent asks for more, whoever answers
    singles = [_single("[model]", main, tier_of(main), api_key, adapter, tokens_max=bound)]
    singles += [
        _single(name, entry, entry.tier, keys.get(name, ""), adapter, tokens_max=bound)
        for name, entry in others.items()
    ]
    rungs = [
        _rung([single for single in singles if single.tier == tier], is_hedging=main.hedge)
        for tier in dict.fromkeys(single.tier for single in singles)
    ]
    model = rungs[0].model
    if len(rungs) > 1:
        model = FallbackModel(rungs, falls_back=main.fallback)
    speeds = {f"{each.settings.shown_base_url} {each.settings.uri}": each.speed for each in singles}
    return BuiltModel(model, speeds)


def tokens_max_of(settings: ModelSettings) -> int | None:
    """Return where a call of a model is to stop at the latest, whatever is asked for."""
    is_embedded = ModelUri.parse(settings.uri).is_embedded
    return settings.tokens_max or (EMBEDDED_TOKENS_MAX if is_embedded else None)


def tier_of(main: ModelSettings) -> ModelTier:
    """Return the tier of [model], which is the one for hard goals unless it runs here."""
    return "local" if ModelUri.parse(main.uri).is_local else "deep"


def _rung(replicas: Sequence[_Single], *, is_hedging: bool) -> Rung:
    """Return the models of one tier as one.

    A model that runs here is asked once: a second request would only take the first one's time.
    """
    is_local = replicas[0].tier == "local"
    rules = HedgeRules() if is_hedging and not is_local else HedgeRules(attempts_max=1)
    speeds = [each.speed for each in replicas]
    model: Model = HedgedModel([each.model for each in replicas], speeds, rules)
    bounds = [bound for each in replicas if (bound := tokens_max_of(each.settings))]
    name = " and ".join(each.name for each in replicas)
    return Rung(name, replicas[0].tier, model, min(bounds, default=None))


def _single(
    name: str,
    settings: ModelSettings,
    tier: ModelTier,
    api_key: str,
    adapter: Adapter,
    *,
    tokens_max: int | None,
) -> _Single:
    """Return one endpoint's model with the policies that are its own."""
    speed = EndpointSpeed()
    model = adapter(
        settings.uri,
        base_url=settings.base_url,
        api_key=api_key,
        engine=settings.engine,
        headers=settings.headers,
    )
    if ModelUri.parse(settings.uri).is_embedded:
        model = EmbeddedModel(model)
    if settings.fit:
        model = FittedModel(model, speed, _window_of(settings))
    bounds = [bound for bound in (tokens_max, tokens_max_of(settings)) if bound is not None]
    model = UncappedModel(model, min(bounds, default=None))
    if settings.calls_max is not None:
        model = LimitedModel(model, settings.calls_max)
    if settings.breaker:
        model = BreakerModel(model)
    if settings.price_prompt or settings.price_completion:
        prices = settings.price_prompt or 0.0, settings.price_completion or 0.0
        model = PricedModel(model, *prices)
    return _Single(name, settings, tier, model, speed)


def _window_of(settings: ModelSettings) -> int | None:
    """Return what a model takes in at once, in tokens; None where only its endpoint knows."""
    if settings.context_tokens or not ModelUri.parse(settings.uri).is_local:
        return settings.context_tokens
    return context_per_slot(settings.engine.server_options)
