"""What can be typed: commands, their flags and their help.

argparse rather than typer: importing typer and rich takes 0.2 s, a fifth of what a whole run
against a resident cluster may take.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from cluster.cli import help_texts
from cluster.cli.machine_flags import add_config, add_machine_commands, add_model, add_redis
from cluster.cli.serve_options import SERVE, SERVE_EPILOG, add_serve_flags
from cluster.cli.task_flags import add_display, add_task_commands
from cluster.kernel.errors import UsageError


@dataclass(frozen=True, slots=True)
class Options:
    """A command line that has been understood; a command looks at the fields that are its own."""

    command: str
    goal: str = ""
    knowledge: tuple[str, ...] = ()
    model: str | None = None
    config: str | None = None
    deadline: float | None = None
    coherence: str | None = None
    tokens_max: int | None = None
    cost_max: float | None = None
    workflow: str | None = None
    inputs: tuple[str, ...] = ()
    dry_run: bool = False
    save_plan: str | None = None
    thoughts: str = "summary"
    json: bool = False
    events: str | None = None
    address: str | None = None
    redis: str | None = None
    host: str | None = None
    framed: bool = False
    paths: tuple[str, ...] = ()
    namespace: str | None = None
    watch: bool = False
    everything: bool = False
    purge: bool = False
    action: str | None = None
    name: str = ""
    history: bool = False
    revert: int | None = None
    resolve: str | None = None
    delete: bool = False
    scopes: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    tasks_max: int | None = None
    tokens_a_day: int | None = None
    detach: bool = False
    task: str = ""
    status: str | None = None
    serve_host: str | None = None
    port: int | None = None
    replicas: int | None = None
    tls_cert: str | None = None
    tls_key: str | None = None


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def parse(arguments: Sequence[str]) -> Options:
    """Return what was typed after ``fleetmind``.

    Raises:
        UsageError: it isn't a command line of ours.
        SystemExit: with status 0, after help or version were printed.
    """
    parsed, unknown = _parser().parse_known_args(arguments)
    values = vars(parsed)
    if unknown:
        command = values["command"]
        raise UsageError(
            f"unrecognized arguments: {' '.join(unknown)}; see `fleetmind {command} --help`"
        )
    for name in ("knowledge", "paths", "inputs", "scopes", "namespaces"):
        values[name] = tuple(values.get(name) or ())
    if values.get("goal", "") is None:
        if values["workflow"] is None:
            command = values["command"]
            raise UsageError(
                f"the following arguments are required: GOAL; see `fleetmind {command} --help`"
            )
        values["goal"] = ""
    return Options(**values)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fleetmind",
        description=help_texts.DESCRIPTION,
        epilog=help_texts.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version and exit",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run(commands, "run", "give a goal, get a cited answer", help_texts.RUN)
    _add_run(commands, "submit", "the same, as a job of a Ray cluster", help_texts.SUBMIT)
    _add_resident(commands)
    add_task_commands(partial(_command, commands))
    _add_learn(commands)
    _add_forget(commands)
    _add_knowledge(commands)
    _add_state(commands)
    _add_tokens(commands)
    _add_serve(commands)
    add_machine_commands(partial(_command, commands))
    return parser


_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _command(
    commands: _Commands[_Parser], name: str, summary: str, description: str = "", epilog: str = ""
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=description or summary[0].upper() + summary[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_run(commands: _Commands[_Parser], name: str, summary: str, description: str) -> None:
    epilog = help_texts.RUN_EPILOG.replace("fleetmind run", f"fleetmind {name}")
    parser = _command(commands, name, summary, description, epilog)
    add = parser.add_argument
    add(
        "goal",
        metavar="GOAL",
        nargs="?",
        help="what you want to know or have done; `-` reads it from stdin; may be left out where "
        "the file of --workflow has one",
    )
    add(
        "--knowledge",
        metavar="PATH",
        action="append",
        help="a file or folder to answer from; may be given again",
    )
    add(
        "--namespace",
        metavar="N",
        help="answer from what `fleetmind learn --namespace N` has read (default: default)",
    )
    add_model(parser)
    add("--deadline", metavar="SECONDS", type=float, help="time the task may take (default: 300)")
    _add_bounds(parser)
    add(
        "--coherence",
        choices=("chained", "broadcast"),
        help="when steps begin: when all that they need is there, or all at once "
        "(default: chained)",
    )
    _add_workflow(parser)
    add_display(parser)
    if name == "run":
        add(
            "--detach",
            action="store_true",
            help="leave the task to the cluster that is up, and print its id: it goes on without "
            "you, and `fleetmind watch` follows it",
        )
    where = (
        "URL of the Ray dashboard, as for `ray job submit` (default: http://127.0.0.1:8265)"
        if name == "submit"
        else "the Ray cluster to join (default: the resident one, else one for this run)"
    )
    add("--address", metavar="RAY", help=where)
    add_redis(parser)
    add("--framed", action="store_true", help=argparse.SUPPRESS)


def _add_bounds(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--tokens-max",
        metavar="N",
        type=int,
        help="tokens that its model calls may use; what is done by then is the answer",
    )
    add(
        "--cost-max",
        metavar="SUM",
        type=float,
        help="what they may cost, by the prices of the models in fleet.toml",
    )


def _add_workflow(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--workflow", metavar="FILE", help="run the steps of this file; no model is asked to plan")
    add(
        "--input",
        metavar="NAME=VALUE",
        action="append",
        dest="inputs",
        help="a value for the workflow's {NAME}; may be given again",
    )
    add(
        "--dry-run",
        action="store_true",
        help="start nothing: print when which step of the workflow would run",
    )
    add("--save-plan", metavar="FILE", help="write the plan that the model makes as a workflow")


def _add_resident(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "up",
        "start a cluster that stays",
        "Start a resident cluster on this machine, which `run`, `learn` and `status` then use.",
    )
    add_model(parser)
    parser.add_argument("--host", metavar="HOST", help="address to listen on (default: 127.0.0.1)")
    add_redis(parser)
    _command(commands, "down", "stop the cluster that `up` started")
    _command(commands, "status", "show the resident cluster and its agents")


def _add_learn(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "learn",
        "add knowledge, to be used by later runs",
        help_texts.LEARN,
        help_texts.LEARN_EPILOG,
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file or folder")
    _add_namespace(parser, "where to (default: default)")
    parser.add_argument(
        "--watch", action="store_true", help="go on, and learn again what changes, until Ctrl-C"
    )
    add_config(parser)
    add_redis(parser)


def _add_forget(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "forget",
        "remove knowledge, everywhere",
        help_texts.FORGET,
        help_texts.FORGET_EPILOG,
    )
    add = parser.add_argument
    add("paths", metavar="PATH", nargs="*", help="a file or folder that was learned, or text:NAME")
    add("--all", action="store_true", dest="everything", help="all that was learned")
    _add_namespace(parser, "only there (default: wherever it was learned)")
    add(
        "--purge",
        action="store_true",
        help="remove the text at once, and the journals of ended tasks that quote it",
    )
    add_config(parser)
    add_redis(parser)


def _add_knowledge(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "knowledge",
        "show what was learned",
        help_texts.KNOWLEDGE,
        "example:\n  fleetmind knowledge",
    )
    add_config(parser)
    add_redis(parser)


def _add_state(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands, "state", "show what agents share", help_texts.STATE, help_texts.STATE_EPILOG
    )
    add = parser.add_argument
    add("name", metavar="NAME", nargs="?", default="", help="a document (default: all of them)")
    add("--history", action="store_true", help="show who has changed what")
    add("--revert", metavar="VERSION", type=int, help="undo what one version has changed")
    add("--resolve", metavar="PLACE=VALUE", help="decide a conflict: by a number of it, or by JSON")
    add("--delete", action="store_true", help="delete it, for everybody and for good")
    add("--json", action="store_true", help="print one JSON object")
    add_config(parser)
    add_redis(parser)


def _add_namespace(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--namespace", metavar="N", help=text)


def _add_tokens(commands: _Commands[_Parser]) -> None:
    summary = "say who may use the HTTP ingress"
    parser = _command(commands, "tokens", summary, help_texts.TOKENS, help_texts.TOKENS_EPILOG)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="make a token and print it, once", allow_abbrev=False)
    add.add_argument("name", metavar="NAME", help="whose it is: its tasks belong to that name")
    add.add_argument(
        "--scope",
        metavar="SCOPE",
        action="append",
        dest="scopes",
        help="ask, learn or admin; may be given again (default: ask)",
    )
    add.add_argument(
        "--namespace",
        metavar="N",
        action="append",
        dest="namespaces",
        help="knowledge it may use; may be given again (default: all)",
    )
    for flag, name, text in (
        ("--tasks-max", "tasks_max", "tasks at once, from 1 (without it: any number)"),
        ("--tokens-a-day", "tokens_a_day", "tokens in a day, from 1 (without it: any number)"),
    ):
        add.add_argument(flag, metavar="N", type=int, dest=name, help=text)
    show = actions.add_parser("list", help="show them, without what is secret", allow_abbrev=False)
    revoke = actions.add_parser("revoke", help="refuse a token from now on", allow_abbrev=False)
    revoke.add_argument("name", metavar="NAME", help="as it was added")
    for action in (add, show, revoke):
        add_config(action)
        add_redis(action)


def _add_serve(commands: _Commands[_Parser]) -> None:
    parser = _command(commands, "serve", "answer over HTTP, as OpenAI's API", SERVE, SERVE_EPILOG)
    add_serve_flags(parser)
    add_model(parser)
    add_redis(parser)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("fleetmind")
        except PackageNotFoundError:
            number = "of a checkout that is not installed"
        parser.exit(0, f"fleetmind {number}\n")
