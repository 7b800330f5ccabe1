"""The model that an agent asks, made of the settings: the adapters, and the policies around them.

Called by `agents.factory`. From the inside out: the endpoint's client, how many calls it takes at
once, what they cost; around all of them, who answers where one can't.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agents.models.policies.fallback import FallbackModel, Rung
from agents.models.policies.limited import LimitedModel
from agents.models.policies.priced import PricedModel
from agents.models.port import Model
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import ModelEntry, ModelSettings, ModelTier


class Adapter(Protocol):
    """Builds the model of a URI."""

    def __call__(self, uri: str, *, base_url: str = "", api_key: str = "") -> Model:
        """Return it; raises UsageError where the URI, the URL or the key is wrong."""
        ...


def model_of(
    main: ModelSettings,
    api_key: str,
    others: Mapping[str, ModelEntry],
    keys: Mapping[str, str],
    adapter: Adapter,
) -> Model:
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
    own = _single(main, api_key, adapter)
    if not others:
        return own
    further = [
        Rung(name, entry.tier, _single(entry, keys.get(name, ""), adapter), entry.tokens_max)
        for name, entry in others.items()
    ]
    return FallbackModel([Rung("[model]", tier_of(main), own), *further], falls_back=main.fallback)


def tier_of(main: ModelSettings) -> ModelTier:
    """Return the tier of [model], which is the one for hard goals unless it runs here."""
    return "local" if ModelUri.parse(main.uri).is_local else "deep"


def _single(settings: ModelSettings, api_key: str, adapter: Adapter) -> Model:
    model = adapter(settings.uri, base_url=settings.base_url, api_key=api_key)
    if settings.calls_max is not None:
        model = LimitedModel(model, settings.calls_max)
    if settings.price_prompt or settings.price_completion:
        prices = settings.price_prompt or 0.0, settings.price_completion or 0.0
        model = PricedModel(model, *prices)
    return model
