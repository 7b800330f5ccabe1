"""The examples for the models' servers hold only options that these servers have.

`docs/engines.md` has a section for each engine; `docs/engines` has the options of each, with the
version and the place that they are from.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.models.endpoint.options import check_options
from agents.models.local.server_options import checked_server_options

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "engines.md").read_text("utf-8")
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_VARIABLE = re.compile(r"\b([A-Z]+_[A-Z_]+)=")
_JSON_KEY = re.compile(r'"(\w+)":')
_CODE = re.compile(r"`([^`\n]+)`")
_YAML_KEY = re.compile(r"^( *)(\w+):", re.MULTILINE)


@dataclass(frozen=True)
class Used:
    """A name in an example, and the list that has to have it."""

    of: str
    name: str


def lists() -> dict[str, Mapping[str, Any]]:
    """Return the lists of all engines, by the engine's name."""
    read = [tomllib.loads(path.read_text("utf-8")) for path in sorted(DOCS.glob("engines/*.toml"))]
    return {each["engine"]: each for each in read}


def sections() -> dict[str, str]:
    """Return the page's sections by their titles."""
    return dict(_SECTION.findall(PAGE))


def used_in(section: str) -> Iterator[Used]:
    """Yield the options that a section names, in its examples and in its text."""
    for kind, block in _BLOCK.findall(section):
        if kind == "bash":
            yield from of_command(block)
        elif kind == "yaml":
            yield from of_config_file(block)
        elif kind == "toml":
            for name in engine_table(block).get("options", {}):
                yield Used("request", name)
    for code in _CODE.findall(_BLOCK.sub("", section)):
        if code.startswith("--"):
            yield from of_command(code)
        elif code.startswith('{"prediction"'):
            yield from (Used("prediction", key) for key in _JSON_KEY.findall(code)[1:])


def of_command(text: str) -> Iterator[Used]:
    """Yield the options of a command, and the keys of JSON that it is given."""
    quoted = re.findall(r"--([\w-]+) '(\{.*?\})'", text)
    for option, json_text in quoted:
        for key in _JSON_KEY.findall(json_text):
            yield Used(option.replace("-", "_"), key)
    bare = re.sub(r"'.*?'|python -m", "", text)
    yield from (Used("command", option) for option in _COMMAND_OPTION.findall(bare))
    yield from (Used("environment", name) for name in _VARIABLE.findall(bare))


def of_config_file(text: str) -> Iterator[Used]:
    """Yield the keys of a file of two levels."""
    table = "config_file"
    for indent, key in _YAML_KEY.findall(text):
        yield Used(table if indent else "config_file", key)
        table = table if indent else key


def engine_table(text: str) -> Mapping[str, Any]:
    """Return what an example of `fleet.toml` passes on."""
    table: Mapping[str, Any] = tomllib.loads(text)["model"].get("engine", {})
    return table


def test_each_engine_has_its_section_and_its_list() -> None:
    assert sections().keys() == lists().keys()
    for engine, listed in lists().items():
        assert listed["version"], engine
        assert all(re.match(r"[\w./-]+: |llm-api/", place) for place in listed["source"]), engine


@pytest.mark.parametrize("engine", sorted(lists()))
def test_every_option_of_an_example_is_one_that_the_engine_has(engine: str) -> None:
    used, listed = list(used_in(sections()[engine])), lists()[engine]
    unknown = [each for each in used if each.name not in listed.get(each.of, ())]

    assert used
    assert unknown == []


@pytest.mark.parametrize("engine", sorted(lists()))
def test_every_example_of_settings_is_accepted(engine: str) -> None:
    blocks = [text for kind, text in _BLOCK.findall(sections()[engine]) if kind == "toml"]

    assert blocks
    for text in blocks:
        check_options(engine_table(text).get("options", {}))
        checked_server_options(engine_table(text).get("server_options", {}))


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "```bash\nserve A-B --a-b 1 -c 'x --no' --s-c '{\"m\": 1}'\n```",
            [
                Used("s_c", "m"),
                Used("command", "--a-b"),
                Used("command", "-c"),
                Used("command", "--s-c"),
            ],
        ),
        ("```bash\nX_Y=1 serve\n```", [Used("environment", "X_Y")]),
        (
            "```yaml\na: 1\nb:\n  c: 2\n```",
            [Used("config_file", "a"), Used("config_file", "b"), Used("b", "c")],
        ),
        (
            '```toml\n[model]\nuri = "x"\n[model.engine]\noptions = { k = 1 }\n```',
            [Used("request", "k")],
        ),
        ("`--late` and `plain`", [Used("command", "--late")]),
    ],
)
def test_what_an_example_uses_is_found(section: str, expected: list[Used]) -> None:
    assert list(used_in(section)) == expected
