"""``fleetmind learn``: add files and folders to what runs without ``--knowledge`` answer from."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path

from cluster.cli.console import Console
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.progress import open_display
from cluster.cli.run import flags_of
from cluster.joining import open_store
from cluster.memory.knowledge.learning import Learned
from cluster.memory.knowledge.learning import learn as read
from cluster.memory.knowledge.omissions import left_out_line
from cluster.memory.knowledge.records import LEARNED
from cluster.memory.knowledge.sources import check_paths
from cluster.settings import Configuration, load


def learn(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind learn``; what is wrong with its arguments is raised at once.

    Raises:
        UsageError: a setting is wrong, or a path can't be read.
    """
    configuration = load(options.config, flags_of(options))
    check_paths(options.paths)
    # Absolute, since later runs are in other folders: what they cite must be found from there too.
    paths = tuple(str(Path(path).absolute()) for path in options.paths)
    return _learn(configuration, paths, console)


async def _learn(configuration: Configuration, paths: tuple[str, ...], console: Console) -> int:
    display = open_display(console)

    def progress(done: int, total: int) -> None:
        display.note(f"reading: {done} of {total} files")

    try:
        async with open_store(configuration, display.note) as store:
            learned = await read(store, paths, name=LEARNED, progress=progress)
    finally:
        display.close()
    if line := left_out_line(learned.left_out):
        console.note(line)
    console.write(_summary(learned))
    return Exit.DONE


def _summary(learned: Learned) -> str:
    return (
        f"learned {learned.embedded} new files, {learned.reused} were known; "
        f"{learned.files} files with {learned.passages} passages are known in all\n"
    )
