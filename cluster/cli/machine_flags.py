"""What can be typed for this machine: ``models`` and ``doctor``, and flags that commands share."""

from __future__ import annotations

import argparse

from cluster.cli import help_texts
from cluster.cli.task_flags import AddCommand


def add_machine_commands(command: AddCommand) -> None:
    """Add what shows this machine's models, fetches one, and says what is wrong."""
    models = command(
        "models",
        "show which model is configured, reachable, downloaded",
        epilog=help_texts.MODELS_EPILOG,
    )
    add_model(models)
    actions = models.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="the same as no action", allow_abbrev=False)
    pull = actions.add_parser(
        "pull",
        help="download a local model",
        description=help_texts.PULL,
        epilog=help_texts.PULL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    pull.add_argument("name", metavar="NAME", help="smollm2-135m, or hf:OWNER/NAME/FILE.gguf")
    doctor = command(
        "doctor",
        "say what is wrong with this machine",
        help_texts.DOCTOR,
        help_texts.DOCTOR_EPILOG,
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    add_model(doctor)
    doctor.add_argument("--address", metavar="RAY", help="the Ray cluster to be joined")
    add_redis(doctor)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add which model is used, and the file of settings."""
    parser.add_argument(
        "--model", metavar="URI", help="openai:NAME, llama:NAME-or-GGUF-path or simulated:"
    )
    add_config(parser)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the file of settings."""
    parser.add_argument("--config", metavar="FILE", help="settings to read instead of ./fleet.toml")


def add_redis(parser: argparse.ArgumentParser) -> None:
    """Add which store is used."""
    parser.add_argument(
        "--redis", metavar="URL", help="the central store (default: an embedded one)"
    )
