"""Errors <-> the Failure message, by kind: total, since every error class has a kind of its own."""

from __future__ import annotations

from cluster.kernel import errors
from cluster.kernel.errors import ClusterError, Overloaded
from cluster.kernel.vocabulary import Failure


def _classes(base: type[ClusterError]) -> list[type[ClusterError]]:
    return [base, *(sub for cls in base.__subclasses__() for sub in _classes(cls))]


_CLASS_BY_KIND = {cls.kind: cls for cls in _classes(errors.ClusterError)}


def failure_from_error(error: BaseException) -> Failure:
    """Return what travels in place of an error; unknown ones lose their text, not their type."""
    if isinstance(error, ClusterError):
        retry_after_s = error.retry_after_s if isinstance(error, Overloaded) else 0.0
        return Failure(error.kind, str(error), error.is_retryable, retry_after_s)
    return Failure("agent_failed", f"the agent raised {type(error).__name__}: {error}")


def error_from_failure(failure: Failure) -> ClusterError:
    """Return the error that a failure stands for, to be raised at the asker."""
    cls = _CLASS_BY_KIND.get(failure.kind, ClusterError)
    if cls is Overloaded:
        return Overloaded(failure.message, failure.retry_after_s)
    return cls(failure.message)
