"""Which options llama.cpp's server has, by the list, and whether the installed package agrees."""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from agents.models.local import server_options
from agents.models.local.server_options import checked_server_options, enum_member
from cluster.kernel.errors import UsageError

LISTED = tomllib.loads(
    Path(server_options.__file__).with_name("server_options.toml").read_text("utf-8")
)
OUR_NAMES = ("ours", "others", "unwritable")


def test_options_are_named_by_the_tables_they_stand_in() -> None:
    given = {
        "n_ctx": 8192,
        "cache_type_k": "q8_0",
        "speculative": {"types": ["ngram_simple"], "ngram_simple": {"size_n": 8}},
    }

    assert checked_server_options(given) == {
        "n_ctx": 8192,
        "cache_type_k": "q8_0",
        "speculative.types": ["ngram_simple"],
        "speculative.ngram_simple.size_n": 8,
    }


def test_a_table_that_is_a_value_stays_one() -> None:
    given = {"default_template_kwargs": {"enable_thinking": "false"}}

    assert checked_server_options(given) == given


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"n_ctxx": 1}, "n_ctxx is no option of llama.cpp's server (xllamacpp 20"),
        ({"n_ctxx": 1}, "did you mean n_ctx"),
        ({"speculative": {"type": 1}}, "speculative.type is no option of llama.cpp's server"),
        ({"speculative": {"type": 1}}, "did you mean speculative.types"),
        ({"nonsense": 1}, "); docs/engines.md names those that matter"),
        ({"port": 8080}, "port is Fleetmind's own to set"),
        ({"model": {"path": "x"}}, "model.path is Fleetmind's own to set"),
        ({"n_ctx": "big"}, "n_ctx must be a whole number, not 'big'"),
        ({"n_ctx": True}, "n_ctx must be a whole number, not True"),
        ({"swa_full": 1}, "swa_full must be true or false, not 1"),
        ({"rope_freq_base": float("nan")}, "rope_freq_base must be a number, not nan"),
        ({"chat_template": 3}, "chat_template must be a text, not 3"),
        ({"default_template_kwargs": 3}, "default_template_kwargs must be a table, not 3"),
        ({"cache_type_k": "q8"}, "cache_type_k must be one of f32, f16, bf16, q8_0, q4_0"),
        ({"flash_attn_type": ["on"]}, "flash_attn_type must be one of auto, disabled, enabled"),
        (
            {"speculative": {"types": "ngram_simple"}},
            "speculative.types must be a list, each one of none, draft_simple",
        ),
        ({"tensor_split": [1, "2"]}, "tensor_split must be a list, each a number, not [1, '2']"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(
    given: dict[str, object], complaint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        checked_server_options(given)

    assert str(refused.value).startswith("engine.server_options.")
    assert complaint in str(refused.value)


class Splits(enum.IntEnum):
    """Stands in for an enum of the package."""

    LLAMA_SPLIT_MODE_NONE = 0
    LLAMA_SPLIT_MODE_LAYER = 1


class Ways(enum.IntEnum):
    """As `Splits`, of an option with a list of them."""

    COMMON_SPECULATIVE_TYPE_NGRAM_MOD = 1
    COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE = 2


class Package:
    """Stands in for the package."""

    llama_split_mode = Splits
    common_speculative_type = Ways


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("n_ctx", 8, 8),
        ("rope_freq_base", 8, 8.0),
        ("tensor_split", [1, 2.5], [1, 2.5]),
        ("split_mode", "layer", Splits.LLAMA_SPLIT_MODE_LAYER),
        ("speculative.types", ["ngram_mod"], [Ways.COMMON_SPECULATIVE_TYPE_NGRAM_MOD]),
    ],
)
def test_names_of_an_enum_become_its_members(name: str, value: object, expected: object) -> None:
    assert enum_member(Package, name, value) == expected


def parameters(package: Any) -> Mapping[str, object]:
    """Return the parameters of the package's server by their dotted names, with their defaults."""

    def within(place: object, inside: str) -> Iterator[tuple[str, object]]:
        for name in filter(lambda name: not name.startswith("_"), dir(place)):
            value = getattr(place, name)
            if type(value).__module__ == type(place).__module__ and not hasattr(value, "name"):
                yield from within(value, f"{inside}{name}.")
            elif not callable(value) or hasattr(value, "name"):
                yield f"{inside}{name}", value

    return dict(within(package.CommonParams(), ""))


def test_the_list_is_that_of_the_installed_package() -> None:
    package = pytest.importorskip("xllamacpp")
    there = parameters(package)
    left_out = {name for part in OUR_NAMES for name in LISTED[part]["names"]}

    assert LISTED["version"] == version("xllamacpp")
    assert LISTED["options"].keys() | left_out == there.keys()
    assert not LISTED["options"].keys() & left_out
    for name, kind in LISTED["options"].items():
        of_list = "list" if kind.startswith("list of ") else kind
        assert type(there[name]).__name__ == of_list, name


def test_the_names_of_each_enum_are_members_of_the_installed_package() -> None:
    package = pytest.importorskip("xllamacpp")

    for kind, listed in LISTED["enums"].items():
        members = {member.name for member in getattr(package, kind)}
        assert {f"{listed['prefix']}{name.upper()}" for name in listed["names"]} <= members
