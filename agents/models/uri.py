"""What a model URI builds: a client of an endpoint, one of the local server, or a simulated model.

Called by the command line to check a setting early and by the agents' factory to build the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from agents.models.endpoint.openai_compatible import PUBLIC_BASE_URL, OpenAIModel
from agents.models.endpoint.options import (
    NO_HEADERS,
    check_headers,
    check_key,
    check_options,
    has_key,
)
from agents.models.local.catalog import find
from agents.models.local.command import server_command
from agents.models.port import Model
from agents.models.simulated.model import SimulatedModel, Timing
from agents.models.simulated.script import NO_LINES, load_lines
from cluster.kernel.errors import UsageError
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import NO_ENGINE, EngineSettings

PUBLIC_MODEL = "gpt-5.4-mini"
"""The model of the public endpoint where none is named; other endpoints are asked."""


def check_model(
    uri: str,
    *,
    base_url: str = "",
    api_key: str = "",
    engine: EngineSettings = NO_ENGINE,
    headers: Mapping[str, str] = NO_HEADERS,
) -> ModelUri:
    """Say early and cheaply whether a model can be built here; imports no client.

    Raises:
        UsageError: a wrong URI, base URL, option or header, a missing or broken key, a missing
            package or file; or what is to be passed on can't be.
    """
    parsed = ModelUri.parse(uri)
    _check_engine(parsed, engine)
    _check_headers(parsed, headers)
    if parsed.is_endpoint:
        _check_endpoint(base_url, api_key, headers)
    elif parsed.is_local:
        server_command(parsed.name, engine.server_options)
    else:
        _simulated(parsed.name)
    return parsed


def build_model(
    uri: str,
    *,
    base_url: str = "",
    api_key: str = "",
    engine: EngineSettings = NO_ENGINE,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Model:
    """Return the model that a URI names.

    ``base_url`` is the endpoint's; of a ``llama:`` model that of its node's server. The headers are
    part of every request of an endpoint.

    Raises:
        UsageError: as `check_model`.
    """
    parsed = ModelUri.parse(uri)
    _check_engine(parsed, engine)
    if parsed.is_local:
        if not base_url:
            raise UsageError(f"{parsed} has no server on this node; start it with `fleetmind up`")
        name = find(parsed.name).stem
        return OpenAIModel(name, base_url, takes_schemas=True, engine=engine)
    if not parsed.is_endpoint:
        return _simulated(parsed.name)
    _check_headers(parsed, headers)
    _check_endpoint(base_url, api_key, headers)
    is_public = base_url.rstrip("/") in {"", PUBLIC_BASE_URL}
    name = parsed.name or (PUBLIC_MODEL if is_public else "")
    return OpenAIModel(name, base_url, api_key, headers=headers, engine=engine)


async def why_unreachable(
    uri: str,
    *,
    base_url: str = "",
    api_key: str = "",
    headers: Mapping[str, str] = NO_HEADERS,
    timeout_s: float,
) -> str:
    """Ask the endpoint of an ``openai:`` model for its models, as every request of it is asked.

    Returns:
        why it can't be asked, in a sentence; empty where it answers, as one does that lists none.

    Raises:
        UsageError: as `check_model`.
    """
    model = build_model(uri, base_url=base_url, api_key=api_key, headers=headers)
    assert isinstance(model, OpenAIModel)
    try:
        return await model.why_unreachable(timeout_s)
    finally:
        await model.close()


def _check_headers(uri: ModelUri, headers: Mapping[str, str]) -> None:
    check_headers(headers)
    if headers and not uri.is_endpoint:
        raise UsageError(f"headers are for openai: models, not for {uri}")


def _check_engine(uri: ModelUri, engine: EngineSettings) -> None:
    """Raise UsageError where something is to be passed on that this kind of model has no use for.

    The options of a local model's server are looked at where its command is made.
    """
    check_options(engine.options)
    if engine.options and not (uri.is_endpoint or uri.is_local):
        raise UsageError(f"engine.options are for models that are asked over HTTP, not for {uri}")
    if engine.server_options and not uri.is_local:
        raise UsageError(
            f"engine.server_options are for llama: models, whose server is started here; those of "
            f"{uri} belong on its server's own command line (docs/engines.md)"
        )
    if engine.predicted_outputs and not uri.is_endpoint:
        raise UsageError(f"engine.predicted_outputs is for openai: models, not for {uri}")


def _check_endpoint(base_url: str, api_key: str, headers: Mapping[str, str]) -> None:
    check_key(api_key)
    if base_url:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            shown = base_url.partition("?")[0]
            raise UsageError(
                f"OPENAI_BASE_URL is {shown!r}; it must be a URL like http://localhost:8000/v1"
            )
    elif not api_key and not has_key(headers):
        raise UsageError(
            "the public endpoint of openai: models needs a key; set OPENAI_API_KEY, or set "
            "OPENAI_BASE_URL to an endpoint of your own"
        )


def _simulated(rest: str) -> SimulatedModel:
    path, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    timing = Timing(
        ttft_s=_number(options, "ttft_s", 0.0), tokens_per_s=_number(options, "tokens_per_s")
    )
    if options:
        unknown = ", ".join(sorted(options))
        raise UsageError(f"simulated: knows no {unknown}; allowed are ttft_s and tokens_per_s")
    if timing.tokens_per_s == 0.0:
        raise UsageError("tokens_per_s of simulated: must be above 0")
    return SimulatedModel(timing, load_lines(Path(path).expanduser()) if path else NO_LINES)


def _number(options: dict[str, str], name: str, default: float = math.inf) -> float:
    """Take an option out of the query's; seconds and rates are at least 0."""
    text = options.pop(name, None)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise UsageError(f"{name} of simulated: is {text!r}; it must be a number from 0 on")
    return value
