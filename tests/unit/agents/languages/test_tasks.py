"""The tasks in five languages are what they are said to be: complete, parallel, rightly labelled.

What judges sentences is tested with them elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from agents.models.simulated.script import ANY_STEP
from tests.support.languages import FALSE_CHANGES, LANGUAGES, LanguageTask, Reply, tasks_in

TASKS = {(name, task.id): task for name in LANGUAGES for task in tasks_in(name)}
WRITTEN: dict[str, str] = {
    "en": r"\b(the|is)\b",
    "de": r"\b(der|die|ein|wird|und|werden|alle)\b",
    "es": r"\b(las?|el|los|un|una)\b",
    "zh": "[\u4e00-\u9fff]",
    "ja": "[\u3040-\u30ff]",
}
"""What every text of a language has; Chinese ones have no kana besides."""

each_task = pytest.mark.parametrize("key", TASKS, ids="-".join)


def one_line(text: str) -> str:
    return " ".join(text.split())


def unmarked(reply: str) -> str:
    return re.sub(r"\s*\[\d+\]|^- ", "", reply, flags=re.MULTILINE)


def marks(reply: str) -> list[int]:
    return [int(number) for number in re.findall(r"\[(\d+)\]", reply)]


def test_every_language_has_the_same_tasks_with_the_same_levels_in_the_same_order() -> None:
    def shape(said: Callable[[LanguageTask], Reply], name: str) -> list[list[object]]:
        return [
            [
                task.id,
                *((each.passages, each.support, each.change) for each in said(task).sentences),
            ]
            for task in tasks_in(name)
        ]

    assert [len(tasks_in(name)) for name in LANGUAGES] == [5] * 5
    for name in LANGUAGES:
        assert shape(lambda task: task.research, name) == shape(lambda task: task.research, "en")
        assert shape(lambda task: task.answer, name) == shape(lambda task: task.answer, "en")


@each_task
def test_a_reply_consists_of_its_sentences(key: tuple[str, str]) -> None:
    for said in (TASKS[key].research, TASKS[key].answer):
        places = [one_line(unmarked(said.reply)).find(each.text) for each in said.sentences]

        assert -1 not in places
        assert all(first < second for first, second in pairwise(places))
        joined = "".join(each.text for each in said.sentences)
        assert "".join(unmarked(said.reply).split()) == "".join(joined.split())


@each_task
def test_a_finding_has_three_quotes_a_paraphrase_and_a_false_sentence(key: tuple[str, str]) -> None:
    task = TASKS[key]
    levels = [each.support for each in task.research.sentences]
    false = [each.change for each in task.research.sentences if each.support == "contradicted"]

    assert sorted(levels) == ["contradicted", "paraphrased", "quoted", "quoted", "quoted"]
    assert false == [FALSE_CHANGES[[each.id for each in tasks_in(key[0])].index(task.id)]]
    assert "contradicted" not in [each.support for each in task.answer.sentences]


@each_task
def test_the_marks_of_a_reply_name_what_its_sentences_rest_on(key: tuple[str, str]) -> None:
    task = TASKS[key]
    kept = [each for each in task.research.sentences if each.support != "contradicted"]

    cited = [number for each in task.research.sentences for number in each.passages]
    assert marks(task.research.reply) == cited
    assert set(cited) <= set(range(1, len(task.documents) + 1))
    assert [kept[number - 1] for number in marks(task.answer.reply)] == [*task.answer.sentences]


@each_task
def test_only_what_is_unchanged_stands_in_its_document_as_it_is(key: tuple[str, str]) -> None:
    task = TASKS[key]
    gap = "" if key[0] in {"zh", "ja"} else " "
    texts = [gap.join(document.text.split()) for document in task.documents]

    for each in task.research.sentences:
        cited = texts[each.passages[0] - 1]
        stands = gap.join(each.text.split()) in cited
        assert stands == (each.change == "none"), each.text


@each_task
def test_every_document_has_a_heading_and_the_first_a_list(key: tuple[str, str]) -> None:
    documents = TASKS[key].documents

    assert len(documents) == 2
    assert all(each.text.startswith(f"# {each.title}\n\n") for each in documents)
    assert documents[0].text.count("\n- ") >= 2
    assert documents[1].passage.end_line == documents[1].text.count("\n")


@each_task
def test_everything_is_in_its_language(key: tuple[str, str]) -> None:
    task = TASKS[key]
    texts = [task.goal, task.research.reply, task.answer.reply, *(d.text for d in task.documents)]

    assert [text for text in texts if not re.search(WRITTEN[key[0]], text, re.IGNORECASE)] == []
    assert key[0] != "zh" or not any(re.search(WRITTEN["ja"], text) for text in texts)


@each_task
def test_a_task_is_a_script_of_the_simulated_model(key: tuple[str, str]) -> None:
    task = TASKS[key]

    assert task.lines["researcher"][ANY_STEP].text == task.research.reply
    assert task.lines["manager"]["answer"].text == task.answer.reply
