"""What can be typed: commands, their flags and their help.

argparse rather than typer: importing typer and rich takes 0.2 s, a fifth of what a whole run
against a resident cluster may take.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from cluster.kernel.errors import UsageError

_DESCRIPTION = """\
A cluster of language-model agents: a Manager plans, a Researcher answers from your documents with
citations, a Coder writes a program and runs it in a sandbox. You watch them think.
"""
_EPILOG = """\
examples:
  fleetmind run "How do I ... ? Show a program." --knowledge docs/
  fleetmind up                     keep a cluster running; `run` then starts in under a second
  fleetmind models pull smollm2-135m

settings, lowest to highest: defaults, fleet.toml (or --config), environment, flags
environment: OPENAI_API_KEY, OPENAI_BASE_URL, FLEETMIND_MODEL, FLEETMIND_REDIS_URL (else REDIS_URL),
             RAY_ADDRESS, OTEL_*
models: openai:NAME, llama:NAME-or-GGUF-path, simulated:
"""
_RUN = """\
Give the cluster a goal. The answer (Markdown) goes to stdout, live progress to stderr.

Attaches to the resident cluster that `fleetmind up` started, else starts one for this run.
"""
_RUN_EPILOG = """\
examples:
  fleetmind run "What does the guide say about retries?" --knowledge docs/ --knowledge README.md
  echo "a longer goal" | fleetmind run - --json
  fleetmind run "..." --model openai:gpt-4o-mini --deadline 60 --events events.jsonl

exit status: 0 answered, 1 failed, 2 wrong usage, 3 please rephrase, 124 deadline passed,
             130 interrupted
"""
_SUBMIT = """\
Give a goal to a Ray cluster as a job: uploads what it needs, follows the job's log on stderr and
ends as the job ends. Otherwise like `fleetmind run`.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """A command line that has been understood; a command looks at the fields that are its own."""

    command: str
    goal: str = ""
    knowledge: tuple[str, ...] = ()
    model: str | None = None
    config: str | None = None
    deadline: float | None = None
    json: bool = False
    events: str | None = None
    address: str | None = None
    redis: str | None = None
    host: str | None = None
    framed: bool = False
    paths: tuple[str, ...] = ()
    action: str | None = None
    name: str = ""


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
    for name in ("knowledge", "paths"):
        values[name] = tuple(values.get(name) or ())
    return Options(**values)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fleetmind",
        description=_DESCRIPTION,
        epilog=_EPILOG,
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
    _add_run(commands, "run", "give a goal, get a cited answer", _RUN)
    _add_run(commands, "submit", "the same, as a job of a Ray cluster", _SUBMIT)
    _add_resident(commands)
    _add_learn(commands)
    _add_models(commands)
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
    epilog = _RUN_EPILOG.replace("fleetmind run", f"fleetmind {name}")
    parser = _command(commands, name, summary, description, epilog)
    add = parser.add_argument
    add("goal", metavar="GOAL", help="what you want to know or have done; `-` reads it from stdin")
    add(
        "--knowledge",
        metavar="PATH",
        action="append",
        help="a file or folder to answer from; may be given again",
    )
    _add_model(parser)
    add("--deadline", metavar="SECONDS", type=float, help="time the task may take (default: 300)")
    add("--json", action="store_true", help="print one JSON object instead of Markdown")
    add("--events", metavar="FILE", help="write each event as a line of JSON; `-` is stdout")
    where = (
        "URL of the Ray dashboard, as for `ray job submit` (default: http://127.0.0.1:8265)"
        if name == "submit"
        else "the Ray cluster to join (default: the resident one, else one for this run)"
    )
    add("--address", metavar="RAY", help=where)
    _add_redis(parser)
    add("--framed", action="store_true", help=argparse.SUPPRESS)


def _add_resident(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "up",
        "start a cluster that stays",
        "Start a resident cluster on this machine, which `run`, `learn` and `status` then use.",
    )
    _add_model(parser)
    parser.add_argument("--host", metavar="HOST", help="address to listen on (default: 127.0.0.1)")
    _add_redis(parser)
    _command(commands, "down", "stop the cluster that `up` started")
    _command(commands, "status", "show the resident cluster and its agents")


def _add_learn(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "learn",
        "add knowledge, to be used by later runs",
        "Read files and folders into the central store. Runs without --knowledge then answer\n"
        "from all that was learned; what has not changed is not read again.",
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file or folder")
    _add_config(parser)
    _add_redis(parser)


def _add_models(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "models",
        "show which model is configured, reachable, downloaded",
        epilog="examples:\n  fleetmind models\n  fleetmind models pull smollm2-135m\n",
    )
    _add_model(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="the same as no action", allow_abbrev=False)
    pull = actions.add_parser("pull", help="download an embedded model", allow_abbrev=False)
    pull.add_argument("name", metavar="NAME", help="for example smollm2-135m")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="URI", help="openai:NAME, llama:NAME-or-GGUF-path or simulated:"
    )
    _add_config(parser)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="settings to read instead of ./fleet.toml")


def _add_redis(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--redis", metavar="URL", help="the central store (default: an embedded one)"
    )


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("fleetmind")
        except PackageNotFoundError:
            number = "of a checkout that is not installed"
        parser.exit(0, f"fleetmind {number}\n")
