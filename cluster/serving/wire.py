"""What the ingress keeps in the central store, and its protobuf bytes.

The only module of the ingress that knows protobuf; used by `cluster.serving.tokens` and
`cluster.serving.webhooks`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from google.protobuf.message import DecodeError

from cluster.kernel.errors import WireError
from cluster.kernel.ids import TaskId
from protos.v1 import serving_pb2


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A named bearer token as the store has it: whose it is and what it may, not the token."""

    name: str
    digest: bytes
    """SHA-256 of the token."""
    scopes: tuple[str, ...]
    namespaces: tuple[str, ...] = ()
    """Those it may use; empty for all."""
    tasks_max: int = 0
    """At once; 0 for any number."""
    tokens_a_day_max: int = 0
    """Of models, by its tasks; 0 for any number."""
    created_wall_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """A wish to be told of a task's end; instants are Unix seconds."""

    task: TaskId
    url: str
    secret: bytes
    """The key of the signature."""
    attempts: int = 0
    """How often it was tried in vain."""
    not_before_wall_s: float = 0.0


def access_token_to_bytes(token: AccessToken) -> bytes:
    """Serialise a token: the fields of both have the same names."""
    return serving_pb2.AccessToken(**asdict(token)).SerializeToString()


def access_token_from_bytes(data: bytes) -> AccessToken:
    """Parse a token.

    Raises:
        WireError: the bytes are none.
    """
    read = serving_pb2.AccessToken()
    _parse(read, data)
    return AccessToken(
        name=read.name,
        digest=read.digest,
        scopes=tuple(read.scopes),
        namespaces=tuple(read.namespaces),
        tasks_max=read.tasks_max,
        tokens_a_day_max=read.tokens_a_day_max,
        created_wall_s=read.created_wall_s,
    )


def webhook_to_bytes(webhook: Webhook) -> bytes:
    """Serialise a wish: the fields of both have the same names."""
    return serving_pb2.Webhook(**asdict(webhook)).SerializeToString()


def webhook_from_bytes(data: bytes) -> Webhook:
    """Parse a wish.

    Raises:
        WireError: the bytes are none.
    """
    read = serving_pb2.Webhook()
    _parse(read, data)
    return Webhook(
        task=TaskId(read.task),
        url=read.url,
        secret=read.secret,
        attempts=read.attempts,
        not_before_wall_s=read.not_before_wall_s,
    )


def _parse(message: serving_pb2.AccessToken | serving_pb2.Webhook, data: bytes) -> None:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        name = type(message).__name__
        raise WireError(f"the store holds bytes that are no {name} of the ingress") from error
