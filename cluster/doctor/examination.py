"""Which checks there are, and how they are run: all beside each other, each with a deadline.

Called by `cluster.cli.doctor`; a failing start has those run that take no time and may tell why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cluster.doctor import looking, looking_out, services
from cluster.doctor.diagnosis import Diagnosis, Severity
from cluster.doctor.installed import judge_python
from cluster.doctor.machine import judge_disk, judge_limits, judge_ports
from cluster.doctor.network import judge_proxies, judge_tokens
from cluster.kernel.errors import ClusterError, PlacementError
from cluster.kernel.sections import ModelSettings
from cluster.placement.resident.file import read_resident
from cluster.settings import Configuration, Settings

LOOK_TIMEOUT_S = 5.0
"""Of a check that only looks: files, limits, addresses."""
TRY_TIMEOUT_S = 30.0
"""Of a check that starts something, or asks somebody: with five times as much to do as the machine
has cores for, the embedded model took up to 13 s (docs/doctor.md)."""
_MODEL_SHARE = 0.7
"""Of that, what a model has: its own error says more than that the time was up, and a server that
was started for it has to be ended."""
_THREADS_MAX = 32


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at."""

    name: str
    look: Callable[[], Awaitable[Diagnosis]]
    timeout_s: float = LOOK_TIMEOUT_S


class _LeavingExecutor(ThreadPoolExecutor):
    """Waits for none of its threads: one may hang for minutes in a look-up or on a dead disk."""

    def shutdown(
        self,
        wait: bool = True,  # noqa: ARG002, FBT001, FBT002 - as the base class has it
        *,
        cancel_futures: bool = True,
    ) -> None:
        """End without them."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)


def start_checks(configuration: Configuration) -> list[Check]:
    """Return the quick checks of what every start needs."""
    settings = configuration.settings
    return [
        Check("python", _look(lambda: judge_python(looking.installed_facts()))),
        Check("ports", _look(lambda: _judged_ports(settings))),
        Check("disk", _look(_judged_disk)),
        Check("limits", _look(lambda: judge_limits(looking.limit_facts()))),
    ]


def all_checks(configuration: Configuration) -> list[Check]:
    """Return all checks, in the order in which they are told."""
    settings = configuration.settings
    python, ports, disk, limits = start_checks(configuration)
    model_s = TRY_TIMEOUT_S * _MODEL_SHARE
    models = [
        Check(name, _asked(name, model, key, model_s), TRY_TIMEOUT_S)
        for name, model, key in looking_out.models_of(configuration)
    ]
    return [
        python,
        Check("ray", lambda: services.try_ray(settings), TRY_TIMEOUT_S),
        Check("store", lambda: services.try_store(configuration), TRY_TIMEOUT_S),
        Check("sandbox", lambda: services.try_sandbox(settings), TRY_TIMEOUT_S),
        *models,
        Check("tokens", _look(lambda: judge_tokens(looking_out.token_facts(configuration)))),
        ports,
        disk,
        limits,
        Check("proxies", _look(lambda: _judged_proxies(configuration))),
    ]


async def examine(checks: Sequence[Check], timeout_s: float = TRY_TIMEOUT_S) -> list[Diagnosis]:
    """Run checks beside each other and return what they have found, in their order.

    Args:
        checks: to be run.
        timeout_s: of all of them; each has its own as well.
    """
    executor = _LeavingExecutor(_THREADS_MAX, thread_name_prefix="doctor")
    asyncio.get_running_loop().set_default_executor(executor)
    return await asyncio.gather(*(_bounded(check, timeout_s) for check in checks))


async def _bounded(check: Check, timeout_s: float) -> Diagnosis:
    """Run a check; whatever becomes of it is a diagnosis, and the others go on."""
    allowed_s = min(check.timeout_s, timeout_s)
    try:
        async with asyncio.timeout(allowed_s):
            return await check.look()
    except TimeoutError:
        says = f"no answer within {allowed_s:g} s: something hangs, or the machine is overloaded"
    except ClusterError as error:
        says = str(error)
    except Exception as error:  # noqa: BLE001 - contained: it is what the check has found
        says = f"it could not be looked at ({type(error).__name__}: {error})"
    return Diagnosis(check.name, Severity.WRONG, says)


def _look(judged: Callable[[], Diagnosis]) -> Callable[[], Awaitable[Diagnosis]]:
    return lambda: asyncio.to_thread(judged)


def _asked(
    name: str, model: ModelSettings, key: str, timeout_s: float
) -> Callable[[], Awaitable[Diagnosis]]:
    return lambda: services.try_model(name, model, key, timeout_s)


def _judged_ports(settings: Settings) -> Diagnosis:
    from cluster.joining import check_can_listen  # with grpc and redis

    try:
        is_up = read_resident() is not None
    except PlacementError:  # no folder for its record, as the disks' check says
        is_up = False
    return judge_ports(looking.port_facts(settings, check_can_listen, is_up=is_up))


def _judged_disk() -> Diagnosis:
    return judge_disk(looking.folder_facts(), looking.run_dir_complaint())


def _judged_proxies(configuration: Configuration) -> Diagnosis:
    return judge_proxies(
        looking_out.proxy_facts(configuration), looking_out.certificate_complaint()
    )
