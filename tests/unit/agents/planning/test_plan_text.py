"""Plans as models write them: streamed, wrapped in prose, in all sorts of JSON, broken off."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planning.mending import MendedPlan, UnsoundPlan
from agents.planning.plan_reader import BROKEN_OFF, PlanReader
from agents.planning.plan_text import PlanText
from cluster.kernel.vocabulary import Role

ROLES = (Role("researcher", "finds"), Role("coder", "programs"))


def step(step_id: str, agent: str = "researcher", *needs: str) -> dict[str, object]:
    instruction = f"do what {step_id} is for"
    return {"id": step_id, "agent": agent, "instruction": instruction, "needs": list(needs)}


def text_of(*steps: object) -> str:
    return json.dumps({"steps": steps})


STEPS = (step("r1"), step("c1", "coder", "r1"))
SOUND = text_of(*STEPS)
BARE = json.dumps(STEPS)
FORM = '{"steps": [{"id": "r1", "agent": "researcher", "instruction": "...", "needs": []}]}'


def read_whole(text: str) -> MendedPlan:
    reader = PlanReader(ROLES, "Do it.")
    reader.feed(text)
    return reader.plan()


def read_by_characters(text: str) -> PlanReader:
    reader = PlanReader(ROLES, "Do it.")
    for character in text:
        reader.feed(character)
        reader.seal()
    return reader


@pytest.mark.parametrize(
    "text",
    [
        SOUND,
        BARE,
        f"```json\n{SOUND}\n```",
        f"Here is {{my}} plan:\n\n{SOUND}\n\nI hope it {{helps}}!",
        f"It's {{my}} plan, as {{see: below}}, [1]:\n{BARE}\nIt {{helps}}",
        f"The form is {FORM}, so:\n{SOUND}",
        f"The form is {FORM.replace('}]', '}, {}, {}]')}, so:\n{SOUND}",
        json.dumps({"goal": "g", "steps": STEPS}, indent=2),
        json.dumps({"plan": {"steps": STEPS}}),
        json.dumps({"thoughts": ["a", {"b": 1}], "plan": STEPS}),
        json.dumps({"steps": {"r1": step("r1"), "c1": step("c1", "coder", "r1")}}),
        "\n".join(json.dumps(each) for each in STEPS),
        SOUND.replace('"coder"', '"Coder"').replace('"researcher"', '"researcher-0"'),
        SOUND.replace('["r1"]', '"r1"'),
        SOUND.replace('"needs": [], ', "").replace(', "needs": []', ""),
        SOUND.replace("[]", "None").replace('"', "'"),
        SOUND.replace('"steps"', "steps").replace('"id"', "id").replace('"needs"', "needs"),
        SOUND.replace("[]}", "[],},").replace("}]}", "},],}"),
        SOUND.replace("[{", "[ // the steps\n{").replace("]}]", "] /* it's done */}]"),
        SOUND.replace("[{", "[ # the steps, {\n{"),
        SOUND.replace('"', "\u201d"),
        SOUND[:-1],
        SOUND[:-2],
        SOUND[:-3],
        SOUND.replace("}, {", "} {"),
        SOUND.replace("]}, {", "]}}, {"),
        BARE.replace("}, {", "},\n\n\n{")[:-1],
    ],
)
def test_a_plan_is_read_however_it_is_written(text: str) -> None:
    for made in (read_whole(text), read_by_characters(text).plan()):
        assert [(each.id, each.agent, each.needs) for each in made.plan.steps] == [
            ("r1", "researcher", ()),
            ("c1", "coder", ("r1",)),
        ]
        assert made.reasons == ()


@pytest.mark.parametrize("text", [f"Plan: {SOUND}", f"Plan: {BARE}"])
def test_a_step_is_known_as_soon_as_its_brace_closes(text: str) -> None:
    reader = PlanReader(ROLES, "Do it.")
    known_at: dict[str, int] = {}

    for at, character in enumerate(text):
        reader.feed(character)
        known_at.update({each.id: at for each in reader.seal()})

    braces = [at for at, character in enumerate(text) if character == "}"]
    assert list(known_at.items()) == [("r1", braces[0]), ("c1", braces[1])]
    assert reader.is_complete


ODD = '; don\'t say "no", (see [1], {x}) # ok // http://a/b'
MANNERS: dict[str, Callable[[str], str]] = {
    "trailing commas": lambda text: text.replace("\n    }\n", "\n    },\n").replace(
        "]\n}", "],\n}"
    ),
    "a comment with //": lambda text: text.replace('"agent":', '// who, "agent": x\n"agent":'),
    "a comment with #": lambda text: text.replace('"needs":', '# what it needs: [] }\n"needs":'),
    "a block comment": lambda text: text.replace('"instruction":', '/* "x" } */ "instruction":'),
    "single quotes": lambda text: text.replace('\\"', "`").replace('"', "'").replace("`", '"'),
    "raw line breaks": lambda text: text.replace("; don't", ";\n\ndon't"),
    "needs as a text": lambda text: text.replace('[\n        "r1"\n      ]', '"r1"'),
    "other line ends": lambda text: text.replace("\n", "\r\n"),
    "a fence": lambda text: f"Sure!\n```json\n{text}\n```\nDone.",
}


@pytest.mark.parametrize("is_bare", [False, True])
@pytest.mark.parametrize("count", range(4))
def test_a_plan_means_the_same_whatever_manners_are_mixed_in_it(
    is_bare: bool,  # noqa: FBT001 - a parameter of the test
    count: int,
) -> None:
    steps = [{**each, "instruction": f"{each['instruction']}{ODD}"} for each in STEPS]
    plain = json.dumps(steps if is_bare else {"steps": steps}, indent=2)
    for manners in combinations(MANNERS.values(), count):
        text = plain
        for manner in manners:
            text = manner(text)

        made, streamed = read_whole(text), read_by_characters(text).plan()

        assert (streamed.plan, streamed.reasons) == (made.plan, ())
        assert [(each.id, each.needs) for each in made.plan.steps] == [("r1", ()), ("c1", ("r1",))]
        for each in made.plan.steps:
            assert "".join(each.instruction.split()).endswith("".join(ODD.split()))


def test_raw_line_breaks_and_quotes_within_an_instruction_are_part_of_it() -> None:
    text = SOUND.replace("do what r1 is for", 'Compare "a", "b"\n\nand http://c/#d.')

    assert read_whole(text).plan.steps[0].instruction == ('Compare "a", "b"\n\nand http://c/#d.')


def in_pieces(text: str, length: int) -> list[str]:
    return [text[at : at + length] for at in range(0, len(text), length)]


ODD_TEXTS = st.text('"\\\\{}[],:/ nu\n\u00e9', max_size=12).map(lambda odd: f"do {odd}.")


@given(
    st.lists(ODD_TEXTS, min_size=1, max_size=4),
    st.integers(1, 9),
    st.sampled_from(['{"a": "}", "steps": %s, "b": [{"c": "]"}]} {', "%s ]"]),
)
def test_brackets_and_quotes_within_a_text_end_nothing_however_it_is_cut(
    told: list[str], length: int, around: str
) -> None:
    text = PlanText()
    steps = json.dumps([{"agent": "coder", "instruction": each} for each in told])

    drafts = [each for piece in in_pieces(around % steps, length) for each in text.feed(piece)]

    assert [each.instruction for each in drafts] == told
    assert text.is_whole


@pytest.mark.parametrize(
    "text",
    [
        SOUND.replace("}, {", "} {"),
        SOUND.replace("}, {", "},, {"),
        SOUND.replace("}, {", '}, "x", {'),
        SOUND.replace("[{", "[, {"),
        SOUND.replace("}]}", "},]}"),
        SOUND.replace("}]}", "}}}"),
        SOUND.replace("}]}", "}], x}"),
        SOUND.replace("}]}", '}], "x": [}'),
        SOUND.replace('"needs": []', '"needs": NaN'),
        SOUND.replace('"needs": []', '"needs": [[[[]]]]'),
        SOUND.replace('"needs": []', f'"needs": {"9" * 5_000}'),
        SOUND.replace('"steps"', '"a": {}, "steps"'),
        SOUND.replace('{"steps"', '{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "steps"'),
        f'{{"steps": {{"r1": {json.dumps(STEPS[0])}}}}}',
    ],
)
def test_what_is_not_quite_a_plan_is_not_taken_for_a_whole_one_as_it_comes(text: str) -> None:
    read = PlanText()

    drafts = [each for character in text for each in read.feed(character)]

    assert not read.is_whole
    assert list(read.drafts()[0])[: len(drafts)] == drafts


@pytest.mark.parametrize(
    "text",
    [
        SOUND.replace('"steps"', '"steps": null, "x": [1], "steps"'),
        SOUND.replace("}]}", '}], "x": {"y": [{}]}}'),
        SOUND.replace("[{", '[["r0", {}], {'),
        SOUND.replace("[{", " [\t{").replace("}, {", "}\r\n,\n{"),
        SOUND.replace('"needs": []', '"needs": [], "x": {"y": [1.5e3, null, true, "\\ud800"]}'),
        SOUND.replace('"id": "r1"', '"id": "r0", "id": "r1"'),
    ],
)
def test_what_is_json_is_read_as_it_comes_whatever_else_it_says(text: str) -> None:
    read = PlanText()

    drafts = [each for character in text for each in read.feed(character)]

    assert [(each.id, each.needs) for each in drafts] == [("r1", ()), ("c1", ("r1",))]
    assert read.is_whole


@pytest.mark.parametrize("end", [-5, -12, -30, -60])
def test_a_plan_that_breaks_off_keeps_its_sealed_steps(end: int) -> None:
    made = read_by_characters(SOUND[:end]).plan()

    assert [each.id for each in made.plan.steps] == ["r1"]
    assert made.reasons == (BROKEN_OFF,)


def test_a_model_that_repeats_its_steps_for_ever_is_not_read_for_ever() -> None:
    reader = PlanReader(ROLES, "Do it.")
    reader.feed('{"steps": [')
    fed = 0
    while not reader.is_complete:
        reader.feed(f"{json.dumps(step('r1'))}, ")
        fed += 1

    assert fed == 4
    assert len(reader.plan().plan.steps) == 1


def test_what_follows_a_plan_is_not_read() -> None:
    reader = PlanReader(ROLES, "Do it.")
    reader.feed(SOUND)

    assert reader.is_complete
    reader.feed(SOUND)
    assert len(reader.plan().plan.steps) == 2


def sealed_reader(text: str) -> PlanReader:
    reader = PlanReader(ROLES, "Do it.")
    reader.feed(text)
    reader.seal()
    return reader


def ids_of(reader: PlanReader) -> list[str]:
    return [each.id for each in reader.plan().plan.steps]


def test_another_text_follows_what_is_sealed_of_one_that_is_void() -> None:
    reader = sealed_reader(f'{{"steps": [{json.dumps(step("c0", "coder"))}, ')
    reader.feed(json.dumps(step("c9", "coder")))

    reader.begin_again()
    reader.feed(SOUND)

    assert ids_of(reader) == ["c0", "r1", "c1"]


def test_the_rest_follows_all_that_was_read() -> None:
    reader = sealed_reader(SOUND[:-5])

    reader.begin_rest()
    reader.feed(text_of(step("c2", "coder", "r1")))

    assert ids_of(reader) == ["r1", "c2"]
    assert not reader.plan().breaks_off


@pytest.mark.parametrize(("rest", "is_cut"), [(text_of(), False), ("", True), ("None", True)])
def test_a_rest_may_be_none_and_says_so(
    rest: str,
    is_cut: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    reader = sealed_reader(SOUND[:-5])

    reader.begin_rest()
    reader.feed(rest)

    assert reader.plan().breaks_off == is_cut
    assert ids_of(reader) == ["r1"]


def test_a_rest_may_repeat_all_that_there_is_before_what_is_missing() -> None:
    there = [step(f"c{n}", "coder") for n in range(6)]
    reader = sealed_reader(text_of(*there)[:-2])

    reader.begin_rest()
    reader.feed(text_of(*there, step("c6", "coder")))

    assert len(ids_of(reader)) == 7


def test_what_was_sealed_stays_though_the_text_turns_out_to_be_read_otherwise() -> None:
    reader = sealed_reader(f'{{"steps": [{json.dumps(step("c0", "coder"))}, "nonsense", ')
    reader.feed(f'{{"plan": {BARE}}}')

    assert ids_of(reader)[0] == "c0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would first search and then answer.",
        text_of(),
        FORM,
        '{"answer": 42}',
        '{"answer": {"steps": []}}',
        text_of("research"),
        text_of(["r1"]),
        SOUND[:60],
    ],
)
def test_where_there_is_no_plan_none_is_read(text: str) -> None:
    with pytest.raises(UnsoundPlan):
        read_whole(text)
    with pytest.raises(UnsoundPlan):
        read_by_characters(text).plan()


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        '{"steps": ' + "[" * 1_000_000,
        '{"steps": [{"id": ' + "[" * 60_000,
        '{"a": ' * 10_000,
        "{ " * 500_000,
        "{" + " " * 500_000,
        '{"a": 1, ' * 5_000,
        '{"steps": [{"id": "r1", "instruction": "' + "y" * 1_000_000,
    ],
)
def test_garbage_of_any_size_is_refused_before_it_is_all_read(text: str) -> None:
    with pytest.raises(UnsoundPlan):
        read_whole(text)
    with pytest.raises(UnsoundPlan):
        read_piecemeal(text).plan()


def read_piecemeal(text: str) -> PlanReader:
    reader = PlanReader(ROLES, "Do it.")
    for at in range(0, len(text), 1000):
        reader.feed(text[at : at + 1000])
    return reader
