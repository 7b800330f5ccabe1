"""What can be typed for tasks that were left: ``tasks``, ``watch`` and ``cancel``.

What shows a task is the same for ``run`` and ``watch``.
"""

from __future__ import annotations

import argparse
from typing import Protocol

from cluster.cli import help_texts

STATUSES = ("running", "answered", "clarify", "failed", "cancelled")


class AddCommand(Protocol):
    """Adds a command and returns its parser, as `cluster.cli.options` does for all of them."""

    def __call__(
        self, name: str, summary: str, description: str = "", epilog: str = ""
    ) -> argparse.ArgumentParser:
        """Add one; without a description it is the summary."""
        ...


def add_task_commands(command: AddCommand) -> None:
    """Add what finds a task, follows it and ends it."""
    listed = command(
        "tasks", "list the tasks, the newest first", help_texts.TASKS, help_texts.TASKS_EPILOG
    )
    listed.add_argument("--status", choices=STATUSES, help="only those (default: all of them)")
    listed.add_argument("--json", action="store_true", help="print one JSON object")
    watched = command(
        "watch", "follow a task, from its beginning", help_texts.WATCH, help_texts.WATCH_EPILOG
    )
    _add_task(watched)
    add_display(watched)
    ended = command("cancel", "end a task", help_texts.CANCEL, help_texts.CANCEL_EPILOG)
    _add_task(ended)
    for parser in (listed, watched, ended):
        _add_places(parser)


def add_display(parser: argparse.ArgumentParser) -> None:
    """Add how a task is shown that is followed."""
    add = parser.add_argument
    add(
        "--thoughts",
        choices=("none", "summary", "all"),
        default="summary",
        help="what progress shows of what models say: nothing; how much, and the sentences of the "
        "answer as they become certain; or every word, reasoning too (default: summary)",
    )
    add("--json", action="store_true", help="print one JSON object instead of Markdown")
    add("--events", metavar="FILE", help="write each event as a line of JSON; `-` is stdout")


def _add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "task",
        metavar="TASK",
        help="its id, as `run --detach` and `fleetmind tasks` print it, or the beginning of it "
        "that no other id has",
    )


def _add_places(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--config", metavar="FILE", help="settings to read instead of ./fleet.toml")
    add(
        "--address",
        metavar="RAY",
        help="the Ray cluster that `up` has joined (default: that of the cluster that is up)",
    )
    add(
        "--redis",
        metavar="URL",
        help="the store that has the tasks (default: that of the cluster that is up)",
    )
