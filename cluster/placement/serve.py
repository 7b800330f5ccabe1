"""The ingress for whoever runs Ray Serve: ``serve run cluster.placement.serve:application``.

Or named as ``import_path`` in the file of ``serve deploy``. It serves the resident cluster of the
machine where it is built, unless it is told of another one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from ray import serve

from cluster.kernel.errors import UsageError
from cluster.placement.resident.file import read_resident
from cluster.placement.serving.replica import deployment_of
from cluster.placement.serving.replica_spec import ReplicaSpec
from cluster.settings import Settings, load
from cluster.settings.config_file import from_public_json


class IngressArguments(BaseModel):
    """What ``args`` may say; what it doesn't is as in the settings of the cluster."""

    model_config = ConfigDict(extra="forbid")

    secrets_path: str = ""
    """The 0600 file of a cluster that isn't this machine's resident one, on every machine with a
    replica; its content is no argument, since Ray shows those."""
    config: str = ""
    """A ``fleet.toml``, with [serve] in it; empty for the settings of the resident cluster."""
    replicas: int | None = None
    streams_max: int | None = None
    drain_s: float | None = None
    body_bytes_max: int | None = None
    origins: tuple[str, ...] | None = None


def application(args: dict[str, Any]) -> serve.Application:
    """Return the application that Ray Serve runs.

    Args:
        args: as `IngressArguments`. Not annotated as such: Serve would pass them on unchecked,
            since it doesn't resolve annotations that are text.

    Raises:
        UsageError: an argument is wrong, or there is no cluster to serve.
    """
    try:
        arguments = IngressArguments.model_validate(args)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"args.{where} of the ingress: {first['msg'].lower()}") from error
    settings, secrets_path = _cluster(arguments)
    given = arguments.model_dump(exclude_none=True, exclude={"secrets_path", "config"})
    try:
        own = dataclasses.replace(settings.serve, **given)
    except ValueError as error:
        raise UsageError(f"args of the ingress: {error}") from error
    settings = dataclasses.replace(settings, serve=own)
    return deployment_of(ReplicaSpec(settings.public_json(), secrets_path), settings)


def _cluster(arguments: IngressArguments) -> tuple[Settings, str]:
    """Return the settings of the cluster that is served, and where its secrets lie."""
    configured = load(arguments.config).settings if arguments.config else None
    if arguments.secrets_path:
        return configured or Settings(), arguments.secrets_path
    resident = read_resident()
    if resident is None:
        raise UsageError(
            "no cluster is up on this machine: start one with `fleetmind up`, or name another "
            "one's file of secrets as `secrets_path`"
        )
    return configured or from_public_json(resident.settings_json), resident.secrets_path
