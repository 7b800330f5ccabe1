"""Live progress on stderr: one line per agent in a terminal, plain lines elsewhere.

rich is imported only for a terminal: it takes a tenth of a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from cluster.cli.board import Board, Row, Thoughts
from cluster.cli.console import Console, printable
from cluster.cli.waits import Waits
from cluster.kernel.events import Event, Thought
from cluster.kernel.ids import AgentId

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import Group

REFRESH_S = 0.1
_DOING_COLUMNS = 48
_THOUGHT_CHARS = 100


class Display(Protocol):
    """Shows a task while it runs. Nothing may be shown after `close`."""

    def note(self, text: str) -> None:
        """Say what is going on outside of any task, as in starting a cluster."""
        ...

    def keep(self, text: str) -> None:
        """Say what stays to be read."""
        ...

    def observe(self, event: Event) -> None:
        """Show an event."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; may be called again."""
        ...


def open_display(console: Console, thoughts: Thoughts = Thoughts.SUMMARY) -> Display:
    """Return the display that fits stderr; the caller closes it."""
    if not console.err.isatty():
        return PlainDisplay(console, thoughts)
    from rich.console import Console as RichConsole

    return LiveDisplay(RichConsole(file=console.err, highlight=False), thoughts)


class PlainDisplay:
    """One line for each event worth one; a stretch of thoughts is one line, not one a token."""

    def __init__(self, console: Console, thoughts: Thoughts = Thoughts.SUMMARY) -> None:
        self._err = console.err
        self._note = console.note
        self._thoughts = thoughts
        self._board = Board(thoughts)
        self._thinking: set[tuple[str, str]] = set()

    def note(self, text: str) -> None:
        """Write it as a line."""
        self._note(text)

    def keep(self, text: str) -> None:
        """Write it as a line."""
        self._note(text)

    def observe(self, event: Event) -> None:
        """Write a line, where the event is worth one."""
        row = self._board.observe(event)
        if row is None:
            return
        place = (row.agent, row.step)
        if isinstance(event.detail, Thought) and event.detail.is_final:
            self._line(event, row, f"says: {printable(event.detail.text).strip()}")
            return
        if row.is_thinking and place in self._thinking:
            return
        if row.is_thinking:
            self._thinking.add(place)
        elif place in self._thinking:
            self._thinking.discard(place)
            self._line(event, row, self._stretch(row))
        self._line(event, row, row.doing if not row.is_thinking else "thinking")

    def _stretch(self, row: Row) -> str:
        """Say how much was thought, and how that ended where all is shown."""
        said = f"thought {row.thought_chars} characters"
        is_told = self._thoughts is Thoughts.ALL and row.thought
        return f"{said}: ...{row.thought[-_THOUGHT_CHARS:]}" if is_told else said

    def _line(self, event: Event, row: Row, text: str) -> None:
        step = f" [{row.step}]" if row.step else ""
        self._err.write(f"{event.at_s:7.2f}s {row.agent}{step} {text}\n")
        self._err.flush()

    def close(self) -> None:
        """Do nothing: every line is out already."""


class LiveDisplay:
    """A table that is redrawn in place, on the event loop's own time: no thread draws."""

    def __init__(
        self,
        terminal: RichConsole,
        thoughts: Thoughts = Thoughts.SUMMARY,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.live import Live

        self._terminal = terminal
        self._board = Board(thoughts)
        self._waits = Waits()
        self._now = now
        self._started_at = now()
        self._status = ""
        self._tick: asyncio.TimerHandle | None = None
        self._live = Live(console=terminal, auto_refresh=False, transient=True)
        self._live.start()
        self.draw()

    def note(self, text: str) -> None:
        """Show it below the agents until the next note, or until an agent does something."""
        self._status = text

    def keep(self, text: str) -> None:
        """Write it above the agents, where it stays."""
        self._terminal.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def observe(self, event: Event) -> None:
        """Take the event in; the next tick shows it, and what was noted before is over."""
        if self._board.observe(event) is not None:
            self._status = ""
        self._waits.observe(event, self._now())

    def close(self) -> None:
        """Erase the table and leave the cursor where it was."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
            self._live.stop()

    def draw(self) -> None:
        """Draw now, and again every `REFRESH_S`."""
        if self._tick is not None:
            self._tick.cancel()
        self._live.update(self._table(), refresh=True)
        self._tick = asyncio.get_running_loop().call_later(REFRESH_S, self.draw)

    def _table(self) -> Group:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        rows = self._board.rows()
        cells = [(row.agent, row.step, self._doing(row)[:_DOING_COLUMNS]) for row in rows]
        taken = sum(max(map(len, column)) + 1 for column in zip(*cells, strict=True))
        table = Table.grid(padding=(0, 1, 0, 0))
        for style in ("bold cyan", "magenta", "", "dim"):
            table.add_column(no_wrap=True, style=style)
        for row, (agent, step, doing) in zip(rows, cells, strict=True):
            thought = newest(row.thought, self._terminal.width - taken - 1)
            table.add_row(Text(agent), Text(step), Text(doing), Text(thought))
        elapsed_s = self._now() - self._started_at
        status = f"{elapsed_s:.1f} s  {self._status}"
        return Group(table, Text(status, style="green", no_wrap=True, overflow="ellipsis"))

    def _doing(self, row: Row) -> str:
        """Return what an agent does, or what it is waited for where it has been silent."""
        return self._waits.said(AgentId(row.agent), self._now()) or row.doing


def newest(text: str, columns: int) -> str:
    """Return the end of a line of text that fits into so many columns of a terminal."""
    from rich.cells import cell_len

    tail = text[-max(columns, 1) :].strip() if columns > 0 else ""
    while cell_len(tail) > columns:
        tail = tail[1:]
    return tail
