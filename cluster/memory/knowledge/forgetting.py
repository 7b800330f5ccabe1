"""Takes sources out of namespaces, and says what namespaces there are.

Called by `fleetmind forget` and `fleetmind knowledge`, and by who submits a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import commonpath

from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.knowledge.catalog import KnownSource, below, read_catalog
from cluster.memory.knowledge.names import LEARNED, OF_PATHS, OF_TEXTS
from cluster.memory.knowledge.path_names import shown_name
from cluster.memory.namespaces.port import UNNAMED_KEPT_S, Namespaces, SourceChange

ROUNDS_MAX = 8
"""So often others may put back what is being forgotten."""
CHANGES_PER_WRITE = 1_000
UNUSED_KEPT_S = 30 * 24 * 3600.0
"""How long the namespace of some `--knowledge` paths stays when nobody names them any more."""

Wish = Sequence[Sequence[str]]
"""Of a path that is to be forgotten the ways to read it, the likeliest first; of each way what the
store may call it."""


@dataclass(frozen=True, slots=True)
class NamespaceSummary:
    """What a namespace has."""

    name: str
    version: int
    sources: int
    documents: int
    """Different contents of the sources."""
    passages: int
    stored_bytes: int
    place: str
    """The folder that all its files are in, or the only file; the same of its texts."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `forget` took out."""

    sources: tuple[str, ...]
    """Their names, as the store had them, each once."""
    paths: tuple[str, ...]
    """Their files, as the store had them, each once."""
    namespaces: tuple[str, ...]
    """Where from."""


async def forget(
    namespaces: Namespaces,
    tops: Sequence[str] | None,
    *,
    name: str = "",
    kept_s: float = UNNAMED_KEPT_S,
    may_be_unknown: bool = False,
) -> Forgotten:
    """Take files out of a namespace, or without a name out of all that have them.

    Args:
        namespaces: of the central store.
        tops: absolute paths of files and folders, and texts as ``text:NAME``; None for everything.
        name: of the only namespace to look in.
        kept_s: how long the store keeps documents that nothing names any more.
        may_be_unknown: nothing needs to have been learned from the paths.

    Raises:
        UsageError: there is no such namespace, or nothing was learned from one of the paths that
            should be known; then nothing was taken out.
        StoreUnavailable: the store does not answer, or others put the files back all the time.
    """
    names = [await known_namespace(namespaces, name)] if name else sorted(await namespaces.names())
    if not may_be_unknown:
        await _check_known(namespaces, names, tops or (), name)
    removed: list[KnownSource] = []
    touched = []
    for each in names:
        taken = await _take_out(namespaces, each, tops, kept_s)
        removed += taken
        if taken:
            touched.append(each)
    sources = dict.fromkeys(each.record.source for each in removed)
    paths = dict.fromkeys(each.record.path for each in removed)
    return Forgotten(tuple(sources), tuple(paths), tuple(touched))


async def known_tops(namespaces: Namespaces, wishes: Sequence[Wish], name: str = "") -> list[str]:
    """Return, for `forget`, what the store calls what users have named.

    Args:
        namespaces: of the central store.
        wishes: one for each path; its first way counts of which anything was learned.
        name: of the only namespace to look in.

    Returns:
        What something was learned from; where there is nothing, the likeliest name of the path.

    Raises:
        UsageError: there is no such namespace.
        StoreUnavailable: the store does not answer.
    """
    names = [await known_namespace(namespaces, name)] if name else sorted(await namespaces.names())
    learned = await _learned(namespaces, names)
    tops: list[str] = []
    for ways in wishes:
        known = ([each for each in way if below(learned, [each])] for way in ways)
        tops += next(filter(None, known), ways[0][:1])
    return tops


async def _learned(namespaces: Namespaces, names: Sequence[str]) -> list[KnownSource]:
    catalogs = [await read_catalog(namespaces, each) for each in names]
    return [source for catalog in catalogs for source in catalog.sources.values()]


async def _check_known(
    namespaces: Namespaces, names: Sequence[str], tops: Sequence[str], name: str
) -> None:
    learned = await _learned(namespaces, names)
    for top in tops:
        if not below(learned, [top]):
            where = f" in the namespace {name}" if name else ""
            raise UsageError(
                f"nothing was learned from '{shown_name(top)}'{where}: "
                "`fleetmind knowledge` shows what was"
            )


async def _take_out(
    namespaces: Namespaces, name: str, tops: Sequence[str] | None, kept_s: float
) -> list[KnownSource]:
    removed: list[KnownSource] = []
    for _ in range(ROUNDS_MAX):
        catalog = await read_catalog(namespaces, name)
        sources = list(catalog.sources.values())
        unwanted = sources if tops is None else below(sources, tops)
        if not unwanted:
            return removed
        removed += unwanted
        changes = [SourceChange(each.key, catalog.version) for each in unwanted]
        for at in range(0, len(changes), CHANGES_PER_WRITE):
            await namespaces.apply(name, changes[at : at + CHANGES_PER_WRITE], kept_s=kept_s)
    raise StoreUnavailable(f"others put back what is forgotten in {name}: stop them, and try again")


def unused(names: Mapping[str, float], now: float) -> list[str]:
    """Return the namespaces of paths that nobody has named for long.

    Args:
        names: all namespaces, with the Unix time when each was last used.
        now: Unix time.
    """
    return [
        name
        for name, used_at in names.items()
        if name.startswith(OF_PATHS) and now - used_at > UNUSED_KEPT_S
    ]


async def forget_unused(namespaces: Namespaces, now: float) -> None:
    """Take everything out of the namespaces that are unused; ``now`` is Unix time.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    for name in unused(await namespaces.names(), now):
        await _take_out(namespaces, name, None, UNNAMED_KEPT_S)


async def known_namespace(namespaces: Namespaces, name: str) -> str:
    """Return the name of a namespace that has sources.

    Raises:
        UsageError: there is none of this name.
    """
    names = await namespaces.names()
    if name in names:
        return name
    others = sorted(each for each in names if not each.startswith(OF_PATHS))
    known = f"there are {', '.join(others)}" if others else "there are none yet"
    option = "" if name == LEARNED else f" --namespace {name}"
    raise UsageError(
        f"the namespace {name!r} is not known, {known}: `fleetmind learn PATH{option}` makes it"
    )


async def summaries(namespaces: Namespaces) -> list[NamespaceSummary]:
    """Return all namespaces that have sources, in the order of their names."""
    return [await _summary(namespaces, name) for name in sorted(await namespaces.names())]


async def _summary(namespaces: Namespaces, name: str) -> NamespaceSummary:
    catalog = await read_catalog(namespaces, name)
    records = [each.record for each in catalog.sources.values()]
    sizes = {each.document: each.record.stored_bytes for each in catalog.sources.values()}
    return NamespaceSummary(
        name=name,
        version=catalog.version,
        sources=len(records),
        documents=len(sizes),
        passages=sum(each.passages for each in records),
        stored_bytes=sum(sizes.values()),
        place=_place([each.path for each in records]),
    )


def _place(paths: Sequence[str]) -> str:
    """Return where some sources are; texts have no folder in common with files."""
    texts = [each for each in paths if each.startswith(OF_TEXTS)]
    files = [each for each in paths if not each.startswith(OF_TEXTS)]
    places = [commonpath([shown_name(each) for each in files])] if files else []
    if texts:
        places.append(commonpath(texts) or OF_TEXTS)
    return " and ".join(places)
