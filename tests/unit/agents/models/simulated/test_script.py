"""Lines that are put in an agent's mouth, and how they are cut into tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.simulated.script import ANY_STEP, Line, load_lines
from cluster.kernel.errors import UsageError


@given(st.text(min_size=1), st.data())
def test_pieces_join_to_the_text_and_are_as_many_as_asked_for(
    text: str, data: st.DataObject
) -> None:
    tokens = data.draw(st.integers(1, len(text)))

    pieces = Line(text, tokens).pieces()

    assert "".join(pieces) == text
    assert len(pieces) == tokens
    assert all(pieces)


@given(st.text())
def test_words_join_to_the_text(text: str) -> None:
    assert "".join(Line(text).pieces()) == text


def test_a_script_names_agents_and_their_steps(tmp_path: Path) -> None:
    path = tmp_path / "script.toml"
    path.write_text('[coder]\nc1 = "one"\n"*" = {text = "other", tokens = 2}\n', encoding="utf-8")

    assert load_lines(path) == {"coder": {"c1": Line("one"), ANY_STEP: Line("other", 2)}}


def test_a_script_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text('{"manager": {"plan": "{}"}}', encoding="utf-8")

    assert load_lines(path) == {"manager": {"plan": Line("{}")}}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[coder\n", "can't be read"),
        ('coder = "x"\n', "coder must be a table of steps"),
        ("[coder]\nc1 = 3\n", "coder.c1 must be a text, or a table of `text` and `tokens`"),
        ('[coder.c1]\ntext = "x"\nrate = 1\n', "coder.c1 must be a text, or a table"),
        ('[coder.c1]\ntext = "x"\ntokens = "2"\n', "`tokens` a whole number"),
        ('[coder.c1]\ntext = "x"\ntokens = 2\n', "between 0 and the 1 characters"),
    ],
)
def test_a_wrong_script_is_refused_with_its_place(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "script.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError) as refused:
        load_lines(path)

    assert str(path) in str(refused.value)
    assert complaint in str(refused.value)


def test_a_script_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        load_lines(tmp_path / "nothing.toml")
