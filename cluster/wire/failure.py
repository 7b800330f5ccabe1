"""Errors <-> the Failure message, and which gRPC status says the same: one total table."""

from __future__ import annotations

from cluster.kernel import errors
from cluster.kernel.errors import ClusterError
from cluster.kernel.tasks import Failure

_STATUS_BY_KIND: dict[str, str] = {
    "internal": "INTERNAL",
    "usage": "INVALID_ARGUMENT",
    "delivery": "UNAVAILABLE",
    "unknown_recipient": "NOT_FOUND",
    "peer_unavailable": "UNAVAILABLE",
    "overloaded": "RESOURCE_EXHAUSTED",
    "too_large": "INVALID_ARGUMENT",
    "deadline": "DEADLINE_EXCEEDED",
    "stopped": "UNAVAILABLE",
    "wire": "INVALID_ARGUMENT",
    "stale_epoch": "FAILED_PRECONDITION",
    "agent_failed": "INTERNAL",
    "model": "UNAVAILABLE",
    "store": "UNAVAILABLE",
    "placement": "UNAVAILABLE",
    "cancelled": "CANCELLED",
    "task_cancelled": "CANCELLED",
    "task_failed": "FAILED_PRECONDITION",
}


def _classes(base: type[ClusterError]) -> list[type[ClusterError]]:
    return [base, *(sub for cls in base.__subclasses__() for sub in _classes(cls))]


_CLASS_BY_KIND = {cls.kind: cls for cls in _classes(errors.ClusterError)}


def status_of(kind: str) -> str:
    """Return the name of the gRPC status for a kind of error."""
    return _STATUS_BY_KIND.get(kind, "UNKNOWN")


def failure_from_error(error: BaseException) -> Failure:
    """Return what travels in place of an error; unknown ones lose their text, not their type."""
    if isinstance(error, ClusterError):
        return Failure(error.kind, str(error), error.is_retryable)
    return Failure("agent_failed", f"the agent raised {type(error).__name__}: {error}")


def error_from_failure(failure: Failure) -> ClusterError:
    """Return the error that a failure stands for, to be raised at the asker."""
    cls = _CLASS_BY_KIND.get(failure.kind, ClusterError)
    return cls(failure.message)
