"""``fleetmind forget`` and ``fleetmind knowledge``: what was learned, and less of it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path

from cluster.cli.console import Console, counted
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.progress import open_display
from cluster.cli.run import flags_of
from cluster.joining import open_store
from cluster.kernel.errors import UsageError
from cluster.memory.journal.quotes import purge_quotes
from cluster.memory.kept_answers import purge_answers
from cluster.memory.knowledge import forgetting
from cluster.memory.knowledge.catalog import adopt_collection
from cluster.memory.knowledge.forgetting import Forgotten, NamespaceSummary, Wish, known_tops
from cluster.memory.knowledge.names import OF_TEXTS, check_namespace
from cluster.memory.knowledge.path_names import known_names, shown, shown_name, unshown
from cluster.memory.namespaces.port import UNNAMED_KEPT_S
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.settings import Configuration, load

_MEGABYTE = 1_000_000


def forget(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind forget``; what is wrong with its arguments is raised at once.

    Raises:
        UsageError: neither paths nor ``--all`` are given, or both, or a setting is wrong.
    """
    configuration = load(options.config, flags_of(options))
    if options.namespace is not None:
        check_namespace(options.namespace)
    if bool(options.paths) == options.everything:
        raise UsageError("say what to forget: paths that were learned, or --all")
    if not all(options.paths):
        raise UsageError("a path is empty: name a file or a folder that was learned")
    return _forget(configuration, [_wish(path) for path in options.paths], options, console)


def _wish(path: str) -> Wish:
    """Return the ways to read what a user typed: as a path, and as an answer shows one."""
    try:
        if path.startswith(OF_TEXTS):
            return [(str(Path(path)),)]  # as it was learned over HTTP: no file of any folder
        paths = dict.fromkeys((path, unshown(path)))
        return [known_names(Path(each).resolve()) for each in paths]
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"'{shown(path)}' is no path ({error})") from error


async def _forget(
    configuration: Configuration,
    wishes: Sequence[Wish],
    options: Options,
    console: Console,
) -> int:
    display = open_display(console)
    try:
        async with open_store(configuration, display.note) as store:
            namespaces = RedisNamespaces(store)
            await adopt_collection(store, namespaces)
            name = options.namespace or ""
            forgotten = await forgetting.forget(
                namespaces,
                await known_tops(namespaces, wishes, name) if wishes else None,
                name=name,
                kept_s=0.0 if options.purge else UNNAMED_KEPT_S,
                may_be_unknown=options.purge,
            )
            purged = None
            if options.purge:
                purged = await purge_quotes(store, _quoted_names(wishes, forgotten))
                await purge_answers(store)
    finally:
        display.close()
    where = ", ".join(forgotten.namespaces)
    count = len(forgotten.paths)
    console.write(
        f"forgot {counted(count, 'file')} in {where}\n" if count else "nothing was known\n"
    )
    if purged is not None:
        console.write(
            f"removed the journals of {counted(purged.removed, 'task')} that quoted them\n"
        )
        if purged.running:
            console.note(
                f"still running: {counted(purged.running, 'task')} with quotes of them; their "
                "journals stay until they have ended, and for up to a day then"
            )
    return Exit.DONE


def _quoted_names(wishes: Sequence[Wish], forgotten: Forgotten) -> list[str]:
    """Return what answers may call what was forgotten, and as earlier versions have called it.

    What was forgotten earlier, without ``--purge``, is known by its path alone.
    """
    earlier = [name for ways in wishes for way in ways for name in way]
    names = {*forgotten.sources, *forgotten.paths, *earlier}
    names |= {name.removeprefix(OF_TEXTS) for name in earlier}
    return sorted({*names, *map(shown_name, names)})


def knowledge(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind knowledge``; raises what is wrong with the settings."""
    return _show(load(options.config, flags_of(options)), console)


async def _show(configuration: Configuration, console: Console) -> int:
    display = open_display(console)
    try:
        async with open_store(configuration, display.note) as store:
            namespaces = RedisNamespaces(store)
            await adopt_collection(store, namespaces)
            found = await forgetting.summaries(namespaces)
    finally:
        display.close()
    console.write("".join(f"{line}\n" for line in _lines(found)))
    return Exit.DONE


def _lines(found: Sequence[NamespaceSummary]) -> Iterator[str]:
    if not found:
        yield "nothing was learned yet; `fleetmind learn PATH` does it"
        return
    width = max(len(each.name) for each in found)
    for each in found:
        held = ", ".join(
            (
                counted(each.sources, "file"),
                counted(each.documents, "document"),
                counted(each.passages, "passage"),
            )
        )
        size = f"{each.stored_bytes / _MEGABYTE:.2f} MB"
        yield f"{each.name:<{width}}  {held}, version {each.version}, {size}, {each.place}"
