"""``fleetmind doctor``: what is right and wrong with this machine, a line each.

In short, only what is wrong, it follows the error of a start that failed: see `cluster.cli.entry`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence

from cluster.cli.console import Console
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.run import flags_of
from cluster.doctor.diagnosis import Diagnosis, Severity, is_well, to_json
from cluster.doctor.examination import all_checks, examine, start_checks
from cluster.settings import Configuration, load

_START_TIMEOUT_S = 3.0
"""What a failed start may take longer for it."""


def doctor(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind doctor``; raises what is wrong with the settings."""
    return _doctor(load(options.config, flags_of(options)), options, console)


async def _doctor(configuration: Configuration, options: Options, console: Console) -> int:
    found = await examine(all_checks(configuration))
    if options.json:
        console.write_object(to_json(found))
    else:
        console.write("".join(f"{line}\n" for line in _lines(found)))
    return Exit.DONE if is_well(found) else Exit.FAILED


async def say_what_is_wrong(options: Options, console: Console) -> int:
    """Note what keeps a cluster from being started here; nothing where nothing is found."""
    checks = start_checks(load(options.config, flags_of(options)))
    for each in await examine(checks, _START_TIMEOUT_S):
        if each.severity is not Severity.OK:
            console.note(f"{each.check}: {each.says}")
    return Exit.DONE


def _lines(found: Sequence[Diagnosis]) -> Iterator[str]:
    width = max(len(each.check) for each in found)
    for each in found:
        yield f"{each.check:<{width}}  {each.severity:<7}  {each.says}"
