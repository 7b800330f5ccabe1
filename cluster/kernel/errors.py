"""What can go wrong, by who must act.

    ClusterError
      UsageError          fix your call, configuration or file
      DeliveryError       the message did not get there (in time)
        UnknownRecipient  nobody of that name is registered
        PeerUnavailable   it is registered, or was, and can't be reached
        Overloaded        a bounded queue is full; try again after `retry_after_s`
        TooLarge          over a size limit
        DeadlinePassed    no time was left
        Stopped           the recipient is shutting down
        DeadLettered      its recipient died each time it was handled
        Unsupported       its recipient is of an older version, which does not know it
      WireError           a peer sent what can't be read
      StaleEpoch          an older incarnation of an agent tried to act
      StateDeleted        the document of shared state was deleted, by whoever shares it
      StateInvalid        a field of shared state holds what the program's class does not allow
      AgentFailed         an agent's handler raised
      BrokenPolicy        a program's own way of merging raised, or isn't deterministic
      BudgetSpent         the task has used the tokens or the money that it was given
      ModelError          the model endpoint failed, or its stream broke
      StoreUnavailable    the central store can't be reached
      PlacementError      Ray can't be reached, refused, or could not place an actor
      Cancelled           somebody asked for the task to end
        TaskCancelled     what waiting for a cancelled task raises
      TaskFailed          what waiting for a failed task raises; `failure` says why

Every class has a `kind` (the text in `error.kind` of the JSON object and in `Failure.kind` on the
wire) and says whether trying again can help. Constructors take facts positionally and pass the
same tuple on, so that instances survive pickling; the sentence is built in `__str__`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from cluster.kernel.vocabulary import Failure


class ClusterError(Exception):
    """Base of all errors of Fleetmind; its text is one sentence for a person."""

    kind: ClassVar[str] = "internal"
    is_retryable: ClassVar[bool] = False
    is_of_start = False
    """A cluster, or its store, could not be started: what this machine lacks may be why."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message, retry_after_s)
        self.message = message
        self.retry_after_s = retry_after_s
        """When trying again may help, in seconds from now; 0 where nobody can say."""

    def __str__(self) -> str:
        return self.message


@contextmanager
def of_start() -> Iterator[None]:
    """Mark what goes wrong in a block as that of a start."""
    try:
        yield
    except ClusterError as error:
        error.is_of_start = True
        raise


class UsageError(ClusterError):
    """The caller's arguments, configuration or files are wrong."""

    kind = "usage"


class DeliveryError(ClusterError):
    """A message did not reach its recipient, or its answer did not come back."""

    kind = "delivery"
    is_retryable = True


class UnknownRecipient(DeliveryError):
    """Nobody of that name is registered in the directory."""

    kind = "unknown_recipient"
    is_retryable = False


class PeerUnavailable(DeliveryError):
    """The recipient is known and can't be reached, or died before it answered."""

    kind = "peer_unavailable"


class Overloaded(DeliveryError):
    """A bounded queue is full."""

    kind = "overloaded"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s)


class TooLarge(DeliveryError):
    """A message is over a size limit."""

    kind = "too_large"
    is_retryable = False


class DeadlinePassed(DeliveryError):
    """No time was left."""

    kind = "deadline"
    is_retryable = False


class Stopped(DeliveryError):
    """The recipient is shutting down."""

    kind = "stopped"


class DeadLettered(DeliveryError):
    """Each incarnation of the recipient died with the message, so it is not sent any more."""

    kind = "dead_letter"
    is_retryable = False


class Unsupported(DeliveryError):
    """The recipient's version is older than the message; another replica may know it."""

    kind = "unsupported"


class WireError(ClusterError):
    """A peer, or the store, sent bytes that can't be read as what they claim to be."""

    kind = "wire"


class StaleEpoch(ClusterError):
    """An older incarnation of an agent tried to act."""

    kind = "stale_epoch"


class StateDeleted(ClusterError):
    """An edit of a document of shared state that somebody has deleted."""

    kind = "state_deleted"


class StateInvalid(ClusterError):
    """A field of shared state, read or edited, has a value that the program's class refuses."""

    kind = "state_invalid"


class AgentFailed(ClusterError):
    """An agent's handler raised; the cause is in the agent's log."""

    kind = "agent_failed"


class BrokenPolicy(ClusterError):
    """A program's own way of merging shared state raised, or made two values of the same input."""

    kind = "broken_policy"


class ModelError(ClusterError):
    """The model endpoint refused, failed, hung, or cut its stream."""

    kind = "model"
    is_withdrawal = False
    """The endpoint took its answer back, such as by a content filter: nothing of it is to be used,
    whole as it may look."""
    is_askers_fault = False
    """The request itself was refused: another attempt or replica would refuse it too, and nothing
    is wrong with the endpoint."""
    is_busy = False
    """The endpoint works and had no room for the request in all the time there was."""
    context_tokens = 0
    """Where the prompt was too long: what the model takes in at once, as its endpoint says."""
    prompt_tokens = 0
    """Likewise, how long the prompt is by the endpoint's own count; 0 where it doesn't say."""


class BudgetSpent(ClusterError):
    """The task has used what it was given of tokens or money."""

    kind = "budget"


class StoreUnavailable(ClusterError):
    """The central store can't be reached."""

    kind = "store"
    is_retryable = True


class PlacementError(ClusterError):
    """Ray can't be reached, refused us, or could not place an actor."""

    kind = "placement"


class Cancelled(ClusterError):
    """Somebody asked for the task to end."""

    kind = "cancelled"


class TaskCancelled(Cancelled):
    """The task that was waited for has been cancelled."""

    kind = "task_cancelled"


class TaskFailed(ClusterError):
    """The task that was waited for has no answer; ``failure`` has the kind of the cause."""

    kind = "task_failed"

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message, 0.0 if failure is None else failure.retry_after_s)
        self.args = (message, failure)
        self.failure = failure or Failure(self.kind, message)
