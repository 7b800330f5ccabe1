"""What `fleetmind state` does with the documents of a store: it shows them, undoes and decides.

It needs no program for that: how a field merges stands in the log, but for a program's own
policies.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from cluster.cli.console import Console
from cluster.cli.documents import (
    document_lines,
    document_to_json,
    history_lines,
    history_to_json,
    place_of,
    summary_lines,
    summary_to_json,
)
from cluster.cli.options import Options
from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.kernel.state.conflicts import Conflict
from cluster.kernel.state.values import ABSENT, Slot, checked
from cluster.memory.state.host.document import Document, strange_fields, trusted_conflicts
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.host.history import history_of
from cluster.memory.state.port import StateLog
from cluster.user_folders import user_name

DURABLE_S = 10.0
"""How long a change may wait for the store to take it."""
_DECISION = re.compile(r"(?P<place>[^\[\]=]+(?:\[.*\])?)=(?P<value>.+)", re.DOTALL)
_NUMBERED = re.compile(r"#(\d+)")


def check_asked(options: Options) -> None:
    """Refuse what can't be done at once, or with nothing; raises UsageError then."""
    changes = [options.revert is not None, options.resolve is not None, options.delete]
    if sum([*changes, options.history]) > 1:
        raise UsageError("give one of --history, --revert, --resolve and --delete")
    if any([*changes, options.history]) and not options.name:
        raise UsageError("say which document: `fleetmind state` lists them")


async def looked_at(log: StateLog, options: Options, console: Console) -> None:
    """Do what was asked for with the documents of a store, and show them.

    Raises:
        UsageError: no document has that name, or several have; nothing can be undone or decided so.
        StoreUnavailable: it can't be read, or doesn't take a change.
    """
    names = await log.names()
    async with opened(log) as documents:
        if not options.name:
            await _list(documents, names, options, console)
            return
        name = chosen(names, options.name)
        if options.delete:
            await documents.delete(name)
            console.note(f"deleted {name}")
            return
        document = await documents.open(name)
        if options.history:
            await _show_history(log, document, options, console)
            return
        await _change(documents, document, options, console)
        _write(console, options, document_to_json(document), document_lines(document))


@asynccontextmanager
async def opened(log: StateLog) -> AsyncIterator[Documents]:
    """Open the documents of a store for as long as the context lasts."""
    documents = Documents(log, SystemClock())
    try:
        yield documents
    finally:
        await documents.close()


def chosen(names: Sequence[str], asked: str) -> str:
    """Return the document that a name, or a part of one between its slashes, stands for.

    Raises:
        UsageError: there is none, or there are several.
    """
    if asked in names:
        return asked
    inside = [each for each in names if f"/{asked}/" in f"/{each}/"]
    ending = [each for each in inside if each.endswith(f"/{asked}")]
    found = ending if len(ending) == 1 else inside
    if not found:
        raise UsageError(f"no document is called {asked!r}: `fleetmind state` lists them")
    if len(found) > 1:
        raise UsageError(f"{asked!r} may be {' or '.join(found)}: say which one")
    return found[0]


async def _list(
    documents: Documents, names: Sequence[str], options: Options, console: Console
) -> None:
    shown: list[Document] = []
    for name in names:
        shown.append(await documents.open(name))
        await documents.release(name)  # it is read, and need not be followed
    told = {"documents": [summary_to_json(each) for each in shown]}
    _write(console, options, told, summary_lines(shown))


async def _show_history(
    log: StateLog, document: Document, options: Options, console: Console
) -> None:
    history = await history_of(log, document.name)
    told = {"name": document.name, "history": history_to_json(history)}
    _write(console, options, told, history_lines(history, document))


async def _change(
    documents: Documents, document: Document, options: Options, console: Console
) -> None:
    """Undo or decide what was asked for, and wait until that is durable."""
    person = documents.person(user_name())
    if options.revert is not None:
        document.revert(person, options.revert)
        done = f"reverted version {options.revert} of {document.name}"
    elif options.resolve is not None:
        place, value = _decision(options.resolve)
        conflict = _conflict_at(document, place)
        document.resolve(person, conflict, _decided(conflict, value))
        done = f"decided {place} of {document.name}"
    else:
        return
    try:
        async with asyncio.timeout(DURABLE_S):
            await documents.flush(person)
    except TimeoutError:
        raise StoreUnavailable(
            f"the store did not take the change within {DURABLE_S:g} s: look again whether it has"
        ) from None
    console.note(done)


def _decision(asked: str) -> tuple[str, str]:
    found = _DECISION.fullmatch(asked)
    if found is None:
        raise UsageError(
            f"--resolve {asked!r} says no value: it is FIELD=VALUE or FIELD[KEY]=VALUE"
        )
    return found["place"], found["value"]


def _conflict_at(document: Document, place: str) -> Conflict:
    conflicts = trusted_conflicts(document)
    for conflict in conflicts:
        if place_of(conflict) == place:
            return conflict
    field = place.partition("[")[0]
    policy = strange_fields(document).get(field)
    if policy is not None:
        raise UsageError(
            f"{field} of {document.name} merges by {policy}, which only the program knows: decide "
            "it from there"
        )
    open_ones = ", ".join(map(place_of, conflicts)) or "none"
    raise UsageError(f"{document.name} has no conflict in {place!r}; it has: {open_ones}")


def _decided(conflict: Conflict, value: str) -> Slot:
    """Return the value that was given as JSON, or that of the sibling whose number was.

    Raises:
        UsageError: it is neither, or of a kind that no sibling is of: the field's class, which is
            not known here, would hardly have it.
    """
    numbered = _NUMBERED.fullmatch(value)
    if numbered is not None:
        number, siblings = int(numbered[1]), conflict.siblings
        if not 1 <= number <= len(siblings):
            raise UsageError(f"the conflict has no value #{number}: #1 to #{len(siblings)}")
        return siblings[number - 1].value
    try:
        decided = checked(json.loads(value))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{value!r} is neither a value's number, as #1, nor JSON; text has quotes: '\"yes\"'"
        ) from error
    kinds = [_kind_of(each.value) for each in conflict.siblings if each.value is not ABSENT]
    if _kind_of(decided) not in kinds:
        raise UsageError(
            f"{value} is {_kind_of(decided)}, and what was written to {place_of(conflict)} is "
            f"{' or '.join(dict.fromkeys(kinds))}: the program could not read it"
        )
    return decided


def _kind_of(slot: Slot) -> str:
    """Return what a value is in JSON, in words."""
    match slot:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
    return "an object"


def _write(
    console: Console, options: Options, told: Mapping[str, object], lines: Iterable[str]
) -> None:
    if options.json:
        console.write_object(told)
    else:
        console.write("".join(f"{line}\n" for line in lines))
