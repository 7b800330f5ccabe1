"""The pages that the demo answers from: every program in them runs and prints what it says."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[2] / "examples" / "knowledge"
TIMEOUT_S = 20.0
FENCED = {
    ".md": re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL),
    ".rst": re.compile(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", re.MULTILINE),
    ".html": re.compile(r'<pre><code class="language-python">\n(.*?)</code></pre>', re.DOTALL),
    ".py": re.compile(r"\A(.*)\Z", re.DOTALL),
}


def programs() -> list[tuple[str, str]]:
    """All programs of the pages, each under a name that says where it stands."""
    return [
        (f"{page.name}-{number}", html.unescape(textwrap.dedent(match.group(1))))
        for page in sorted(PAGES.iterdir())
        if page.suffix in FENCED
        for number, match in enumerate(FENCED[page.suffix].finditer(page.read_text("utf-8")))
    ]


@pytest.mark.integration
@pytest.mark.parametrize("program", [pytest.param(text, id=name) for name, text in programs()])
def test_a_program_in_the_knowledge_prints_what_its_comments_promise(program: str) -> None:
    promised = re.findall(r"# -> (.*)$", program, re.MULTILINE)

    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )

    assert done.stdout.splitlines() == promised
    assert promised
