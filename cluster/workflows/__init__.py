"""Declared workflows: a goal, inputs and steps in a TOML file, in place of a model's plan.

Called by `cluster.client` and the commands; a task's engine sees the `Plan` and nothing of this.
"""

from __future__ import annotations

from cluster.workflows.workflow import Workflow

__all__ = ["Workflow"]
