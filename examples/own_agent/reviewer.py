"""An agent of your own: a Reviewer that looks at the Coder's program before the answer is written.

One line in `fleet.toml` beside this file makes it part of the cluster.
"""

from __future__ import annotations

import ast

from pydantic import BaseModel

from agents import Agent, Program, Turn, handles


class Review(BaseModel):
    """What the Reviewer says; a pydantic model travels between agents as it is."""

    verdict: str
    functions: list[str]
    has_docstring: bool


class Reviewer(Agent):
    """Reads programs; needs no model for that."""

    purpose = "reviews the Coder's program: names its functions and says whether it is documented"

    @handles(Program)
    async def review(self, program: Program, turn: Turn) -> Review:  # noqa: ARG002 - handlers get it
        """Review one program."""
        tree = ast.parse(program.source)
        functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        has_docstring = ast.get_docstring(tree) is not None
        verdict = "runs and is documented" if has_docstring else "runs, but has no docstring"
        return Review(verdict=verdict, functions=functions, has_docstring=has_docstring)
