"""What the document of a class is called, and whose it is. Pure.

A document of a task is there for its agents, and ends with it; one of the cluster is there for all
tasks until somebody deletes it. Two classes of one name are two versions of one class.
"""

from __future__ import annotations

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import NO_TASK, TaskId
from cluster.kernel.state.names import checked_part
from cluster.state.shared_state import SharedState, checked_scope


def document_name(
    of: type[SharedState], key: str = "", task: TaskId = NO_TASK, scope: str | None = None
) -> str:
    """Return the name of a document.

    Args:
        of: its class.
        key: tells documents of one class and scope apart.
        task: whose it is, where its scope is "task".
        scope: "task" or "cluster"; the class's own where it is None.

    Raises:
        UsageError: it is no such class, key or scope, or a task is needed and there is none.
    """
    if not _is_shared(of):
        raise UsageError(f"shared state is a subclass of SharedState, not {of!r}")
    scope = checked_scope(scope) if scope is not None else of.__shared_scope__
    key = checked_part(key, "a key of shared state")
    name = f"{of.__name__}/{key}" if key else of.__name__
    if scope == "cluster":
        return f"cluster/{name}"
    if task == NO_TASK:
        raise UsageError(
            f"{of.__name__} is shared within a task, and there is none here: ask the task for it,"
            ' or give it scope="cluster"'
        )
    return f"task/{task}/{name}"


def _is_shared(of: object) -> bool:
    """Say whether something is a class of shared state: programs pass what they like."""
    return isinstance(of, type) and issubclass(of, SharedState)
