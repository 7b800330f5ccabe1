"""An answer as Markdown: its text, its sources, its programs with their output, what is missing.

What stands in the text already is not said again.

Sentences that nothing backs have their mark already; a legend is the last line where there are any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cluster.kernel.events import Corrected
from cluster.kernel.vocabulary import UNVERIFIED_MARK, Answer, Citation, StepProgram, Support

LEGEND = f"{UNVERIFIED_MARK}: no source was found for it."
QUIET = re.compile(f"^{re.escape(LEGEND)}$|{re.escape(UNVERIFIED_MARK)}", re.MULTILINE)
"""What a terminal shows dim."""
_FENCE = re.compile(r"`{3,}")


def to_markdown(answer: Answer) -> str:
    """Return what is printed; it ends in a line break."""
    return "\n\n".join(_parts(answer)) + "\n"


def correction_line(correction: Corrected, answer: Answer) -> str:
    """Return what a second look says of a sentence of an answer, in one line."""
    claims = answer.claims[correction.claim : correction.claim + 1]
    text = claims[0].text if claims else correction.text
    level = correction.support.value if correction.text else "contradicted"
    places = ", ".join(_place(citation) for citation in correction.citations)
    by = f" by {places}" if places else ""
    return f'at a second look, a sentence is {level}{by}: "{" ".join(text.split())}"'


def _parts(answer: Answer) -> Iterator[str]:
    yield answer.text.strip()
    if answer.citations:
        numbered = enumerate(answer.citations, start=1)
        lines = (f"- [{number}] {_place(citation)}" for number, citation in numbered)
        yield "Sources:\n\n" + "\n".join(lines)
    for program in answer.programs:
        yield from _program(program, answer.text)
    left = [text for text in answer.degraded if text not in answer.text]
    if left:
        yield "\n".join(f"Degraded: {' '.join(text.split())}" for text in left)
    if any(claim.support is Support.UNVERIFIED for claim in answer.claims):
        yield LEGEND


def _program(item: StepProgram, text: str) -> Iterator[str]:
    """Show source and output, each unless the text of the answer already does."""
    source = item.program.source.strip("\n")
    if source.strip() not in text:
        yield f"Program ({item.step}):\n\n{fenced(source, item.program.language)}"
    run = item.program.run
    if run is not None and (run.exit_code or run.stdout.strip() not in text):
        outcome = "Output" if run.exit_code == 0 else f"Output (exit code {run.exit_code})"
        yield f"{outcome}:\n\n{fenced(run.stdout or run.stderr)}"


def _place(citation: Citation) -> str:
    end = "" if citation.end_line == citation.start_line else f"-{citation.end_line}"
    if citation.page:
        word = "lines" if end else "line"
        return f"{citation.source}, page {citation.page}, {word} {citation.start_line}{end}"
    return f"{citation.source}:{citation.start_line}{end}"


def fenced(text: str, language: str = "") -> str:
    """Return the text in a fence longer than any that stands in it."""
    longest = max((len(ticks) for ticks in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
