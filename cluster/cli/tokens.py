"""``fleetmind tokens``: who may use the HTTP ingress."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, datetime

from cluster.cli.console import Console
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.progress import open_display
from cluster.cli.run import flags_of
from cluster.joining import open_store
from cluster.kernel.clock import SystemClock
from cluster.serving.tokens import TokenBook
from cluster.serving.wire import AccessToken
from cluster.settings import Configuration, load

_DEFAULT_SCOPES = ("ask",)


def tokens(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind tokens``; raises what is wrong with the settings."""
    return _tokens(load(options.config, flags_of(options)), options, console)


async def _tokens(configuration: Configuration, options: Options, console: Console) -> int:
    display = open_display(console)
    try:
        async with open_store(configuration, display.note) as store:
            book = TokenBook(store, SystemClock())
            display.close()
            await _act(book, options, console)
    finally:
        display.close()
    return Exit.DONE


async def _act(book: TokenBook, options: Options, console: Console) -> None:
    match options.action:
        case "add":
            token = await book.add(
                options.name,
                scopes=options.scopes or _DEFAULT_SCOPES,
                namespaces=options.namespaces,
                tasks_max=options.tasks_max,
                tokens_a_day_max=options.tokens_a_day,
            )
            console.write(f"{token}\n")
            console.note("keep it: it is not kept here, and not shown again")
        case "revoke":
            await book.revoke(options.name)
            console.note(f"{options.name} is refused from now on")
        case _:
            entries = await book.entries()
            console.write("".join(f"{line}\n" for line in token_lines(entries)))


def token_lines(entries: Sequence[AccessToken]) -> Iterator[str]:
    """Yield what is shown of each token; nothing of it is secret."""
    if not entries:
        yield "there are no tokens; `fleetmind tokens add NAME` makes one"
        return
    width = max(len(each.name) for each in entries)
    for each in entries:
        yield f"{each.name:<{width}}  {', '.join(_parts(each))}"


def _parts(entry: AccessToken) -> Iterator[str]:
    yield "may " + " ".join(entry.scopes)
    yield "in " + " ".join(entry.namespaces) if entry.namespaces else "in all namespaces"
    if entry.tasks_max:
        yield f"up to {entry.tasks_max} tasks at once"
    if entry.tokens_a_day_max:
        yield f"up to {entry.tokens_a_day_max:,} tokens a day"
    yield f"since {datetime.fromtimestamp(entry.created_wall_s, UTC):%Y-%m-%d}"
