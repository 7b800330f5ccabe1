"""Ask a folder of documents, in one line of Python.

Run it: `.venv/bin/python examples/ask_a_folder.py "How do I get the largest numbers of a list?"`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cluster import ClusterError, run

KNOWLEDGE = Path(__file__).parent / "knowledge"


def main() -> None:
    """Print the answer and where it comes from."""
    goal = " ".join(sys.argv[1:]) or "How do I get the largest numbers of a list with heapq?"
    try:
        answer = run(goal, knowledge=[KNOWLEDGE])
    except ClusterError as error:
        sys.exit(f"no answer: {error}")
    print(answer.text)
    for number, citation in enumerate(answer.citations, start=1):
        print(f"[{number}] {citation.source}:{citation.start_line}-{citation.end_line}")


if __name__ == "__main__":
    main()
