"""``fleetmind up``, ``down`` and ``status``: the cluster that stays on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator

from cluster.cli.console import Console, duration_text
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.progress import open_display
from cluster.cli.run import flags_of
from cluster.kernel.cache_statistics import CacheStatistics
from cluster.kernel.errors import StoreUnavailable, of_start
from cluster.placement.resident import control as resident_control
from cluster.placement.resident.control import ClusterStatus
from cluster.placement.resident.file import ResidentRecord, read_resident
from cluster.settings import Configuration, load

_LETTERS_SHOWN = 5
_MEGABYTE = 1_000_000


def up(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of starting the resident cluster; raises what is wrong with the settings."""
    from cluster.joining import check_can_start  # with what it imports, half of all there is

    configuration = load(options.config, flags_of(options))
    check_can_start(configuration)
    return _up(configuration, console)


async def _up(configuration: Configuration, console: Console) -> int:
    display = open_display(console)
    try:
        with of_start():
            resident = await resident_control.up(configuration, display.note)
    finally:
        display.close()
    console.write("".join(f"{line}\n" for line in _places(resident)))
    return Exit.DONE


async def down(_options: Options, console: Console) -> int:
    """Stop the resident cluster; there being none is what was wanted, too."""
    was_up = await resident_control.down()
    console.write("the cluster is down\n" if was_up else "no cluster is up\n")
    return Exit.DONE


async def status(
    _options: Options,
    console: Console,
    look: Callable[[], Awaitable[ClusterStatus | None]] = resident_control.status,
) -> int:
    """Show the resident cluster; exits 0 where there is one and all its agents answer."""
    try:
        found = await look()
    except StoreUnavailable as error:
        resident = read_resident()
        if resident is None:
            raise
        console.write("".join(f"{line}\n" for line in _places(resident)))
        console.note(str(error))
        return Exit.FAILED
    if found is None:
        console.write("no cluster is up; `fleetmind up` starts one\n")
        return Exit.FAILED
    lines = (*_places(found.resident), *_agents(found), *_dead_letters(found))
    console.write("".join(f"{line}\n" for line in lines))
    return Exit.DONE if found.is_well else Exit.FAILED


def _places(resident: ResidentRecord) -> Iterator[str]:
    settings = json.loads(resident.settings_json)
    since = duration_text(time.time() - resident.since_s)
    yield f"up         for {since}, process {resident.process.pid}"
    yield f"model      {settings['model']['uri']}"
    yield f"store      {settings['store']['redis'] or 'embedded'}"
    yield f"ray        {resident.ray_address}"
    if resident.dashboard_url:
        yield f"dashboard  {resident.dashboard_url} (its token: `ray get-auth-token`)"


def _agents(found: ClusterStatus) -> Iterator[str]:
    for agent in found.serving:
        host_port = agent.address.partition(";")[0]  # what follows is the way on this machine
        process = f", process {agent.pid}" if agent.pid else ""
        how = "not answering" if agent.agent in found.silent else "serving"
        yield f"{agent.agent:<10} {how} at {host_port}{process}, incarnation {agent.epoch}"
        if agent.knowledge is not None:
            yield from _held(agent.knowledge)
    for name in found.missing:
        yield f"{name:<10} not serving: it is being restarted"


def _held(knowledge: CacheStatistics) -> Iterator[str]:
    for each in knowledge.namespaces:
        trouble = f"; {each.trouble}" if each.trouble else ""
        yield (
            f"  {each.name}@{each.version}: {each.passages:,} passages "
            f"({each.delta_passages:,} in no segment), {each.bytes / _MEGABYTE:.1f} MB{trouble}"
        )
    if knowledge.namespaces:
        evicted = f", {knowledge.evicted:,} evicted" if knowledge.evicted else ""
        stale = f", no word from the store for {knowledge.stale_s:.0f} s" * (knowledge.stale_s > 0)
        yield (
            f"  look-ups: {knowledge.memo_lookups:,} memo, {knowledge.local_lookups:,} local, "
            f"{knowledge.central_lookups:,} central{evicted}{stale}"
        )


def _dead_letters(found: ClusterStatus) -> Iterator[str]:
    letters = found.dead_letters
    if letters:
        yield f"given up   {letters[-1].number} messages so far; the last of them:"
    for letter in letters[-_LETTERS_SHOWN:]:
        ago = duration_text(time.time() - letter.at_s)
        about = " ".join(filter(None, (letter.body_type, letter.task, letter.step)))
        yield f"  {ago} ago, {letter.sender} to {letter.recipient}, {about}: {letter.reason}"
