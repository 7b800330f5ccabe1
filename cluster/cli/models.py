"""``fleetmind models``: what is configured, reachable, downloaded; and fetching a local model.

The models themselves are the agents' business, behind the port `cluster.supply`.
Everything here blocks, so that Ctrl-C ends a download at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from cluster.cli.console import Console
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.run import flags_of
from cluster.kernel.errors import UsageError
from cluster.kernel.sections import ModelEntry, ModelSettings
from cluster.settings import Secrets, load, with_header_values
from cluster.supply import Supply, installed_agents

_REACH_TIMEOUT_S = 5.0
_PULL_STEP_PERCENT = 10


def models(options: Options, console: Console) -> int:
    """Fetch a model, or say how things are; exits 0 where the configured model can be used.

    Raises:
        UsageError: there is no such model, or a setting is wrong.
        ModelError: it could not be fetched.
    """
    supply = installed_agents()
    if options.action == "pull":
        path = supply.pull(options.name, _PullProgress(options.name, console))
        console.write(f"{options.name} is at {path}\n")
        console.note(f"`--model llama:{options.name}` uses it")
        return Exit.DONE
    configuration = load(options.config, flags_of(options))
    console.write(f"configured  {configuration.settings.model.uri}\n")
    settings = with_header_values(configuration.settings, configuration.secrets)
    trouble = _trouble(settings.model, configuration.secrets.api_key, supply)
    console.write(f"usable      {f'no: {trouble}' if trouble else 'yes'}\n")
    for line in _further(settings.models, configuration.secrets, supply):
        console.write(f"further     {line}\n")
    for line in _local(supply):
        console.write(f"local       {line}\n")
    return Exit.FAILED if trouble else Exit.DONE


def _local(supply: Supply) -> Iterator[str]:
    for model in supply.local_models():
        where = (
            model.path if model.is_here else f"fetch it with `fleetmind models pull {model.name}`"
        )
        yield f"{model.name} ({model.description}): {where}"


def _further(entries: Mapping[str, ModelEntry], secrets: Secrets, supply: Supply) -> Iterator[str]:
    for name, entry in entries.items():
        trouble = _trouble(entry, secrets.model_keys.get(name, ""), supply)
        usable = f"can't be used: {trouble}" if trouble else "usable"
        yield f"{name} ({entry.tier}, {entry.uri}): {usable}"


def _trouble(model: ModelSettings, key: str, supply: Supply) -> str:
    """Return why a model can't be used; empty where it can."""
    try:
        parsed = supply.check_model(
            model.uri,
            base_url=model.base_url,
            api_key=key,
            engine=model.engine,
            headers=model.headers,
        )
        if not parsed.is_endpoint:
            return ""
        asking = supply.why_unreachable(
            model.uri,
            base_url=model.base_url,
            api_key=key,
            headers=model.headers,
            timeout_s=_REACH_TIMEOUT_S,
        )
        return asyncio.run(asking)
    except UsageError as error:
        return str(error)


class _PullProgress:
    """Says every tenth of a download once."""

    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._console = console
        self._said_percent = -1

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        percent = 100 * done_bytes // max(total_bytes, 1)
        step = percent - percent % _PULL_STEP_PERCENT
        if step > self._said_percent:
            self._said_percent = step
            self._console.note(f"fetching {self._name}: {step} % of {total_bytes / 1e6:.0f} MB")
