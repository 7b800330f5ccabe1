"""Errors <-> the Failure message, by kind: total, since every error class has a kind of its own."""

from __future__ import annotations

from cluster.kernel import errors
from cluster.kernel.errors import ClusterError, DeliveryError, TaskFailed
from cluster.kernel.vocabulary import Failure


def _classes(base: type[ClusterError]) -> list[type[ClusterError]]:
    return [base, *(sub for cls in base.__subclasses__() for sub in _classes(cls))]


_CLASS_BY_KIND = {cls.kind: cls for cls in _classes(errors.ClusterError)}


def failure_from_error(error: BaseException) -> Failure:
    """Return what travels in place of an error; unknown ones lose their text, not their type.

    What an agent or a library says of its own error may quote keys, paths or documents: whoever
    calls this has written it to the log, and the user reads where to look.
    """
    if isinstance(error, ClusterError):
        return Failure(error.kind, str(error), error.is_retryable, error.retry_after_s)
    return Failure("agent_failed", f"the agent failed: {type(error).__name__}, see its log")


def error_from_failure(failure: Failure) -> ClusterError:
    """Return the error that a failure stands for, to be raised at the asker.

    A kind of a newer version becomes one that says as much of trying again.
    """
    nearest = DeliveryError if failure.is_retryable else ClusterError
    cls = _CLASS_BY_KIND.get(failure.kind, nearest)
    if cls is TaskFailed:
        return TaskFailed(failure.message, failure)
    return cls(failure.message, failure.retry_after_s)
