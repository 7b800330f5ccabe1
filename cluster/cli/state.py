"""``fleetmind state``: what agents share, who has changed what, and what nobody has decided yet.

What is done with them is in `cluster.cli.sharing`.
"""

from __future__ import annotations

from collections.abc import Coroutine

from cluster.cli.console import Console
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.progress import open_display
from cluster.cli.run import flags_of
from cluster.cli.sharing import check_asked, looked_at
from cluster.joining import open_store
from cluster.memory.state.redis import RedisStateLog
from cluster.settings import Configuration, load


def state(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind state``; what is wrong with its arguments is raised at once.

    Raises:
        UsageError: two things are to be done at once, or a name is missing, or a setting is wrong.
    """
    configuration = load(options.config, flags_of(options))
    check_asked(options)
    return _state(configuration, options, console)


async def _state(configuration: Configuration, options: Options, console: Console) -> int:
    display = open_display(console)
    try:
        async with open_store(configuration, display.note) as store:
            display.close()
            await looked_at(RedisStateLog(store), options, console)
    finally:
        display.close()
    return Exit.DONE
