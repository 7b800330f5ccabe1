"""``fleetmind models``: what is configured, reachable, downloaded; and fetching a local model.

The models themselves are the agents' business, behind the port `cluster.supply`.
Everything here blocks, so that Ctrl-C ends a download at once.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

from cluster.cli.console import Console
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.run import flags_of
from cluster.kernel.errors import UsageError
from cluster.kernel.loopback import opener_for
from cluster.kernel.sections import ModelSettings
from cluster.settings import Configuration, load
from cluster.supply import Supply, installed_agents

_REACH_TIMEOUT_S = 5.0
_LIST_BYTES_MAX = 1_000_000
_NO_LIST = frozenset({404, 405})
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
    trouble = _trouble(configuration.settings.model, configuration.secrets.api_key, supply)
    console.write(f"usable      {f'no: {trouble}' if trouble else 'yes'}\n")
    for line in _further(configuration, supply):
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


def _further(configuration: Configuration, supply: Supply) -> Iterator[str]:
    for name, entry in configuration.settings.models.items():
        trouble = _trouble(entry, configuration.secrets.model_keys.get(name, ""), supply)
        usable = f"can't be used: {trouble}" if trouble else "usable"
        yield f"{name} ({entry.tier}, {entry.uri}): {usable}"


def _trouble(model: ModelSettings, key: str, supply: Supply) -> str:
    """Return why a model can't be used; empty where it can."""
    try:
        parsed = supply.check_model(
            model.uri, base_url=model.base_url, api_key=key, engine=model.engine
        )
    except UsageError as error:
        return str(error)
    return _unreachable(model.base_url or supply.PUBLIC_BASE_URL, key) if parsed.is_endpoint else ""


def _unreachable(base_url: str, api_key: str) -> str:
    """Ask an endpoint for its models; return why it doesn't answer, empty where it does."""
    url = base_url.rstrip("/") + "/models"
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked to be http(s)
    try:
        with opener_for(url).open(request, timeout=_REACH_TIMEOUT_S) as reply:
            json.loads(reply.read(_LIST_BYTES_MAX))
    except urllib.error.HTTPError as error:
        with error:  # an endpoint need not list its models
            return "" if error.code in _NO_LIST else f"{url} answers {error.code} {error.reason}"
    except OSError as error:
        return f"{url} does not answer: {getattr(error, 'reason', error)}"
    except ValueError:
        return f"{url} does not answer with JSON"
    return ""


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
