"""Sentences about data are held against rows: values against the cells that are named for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from agents.evidence.features import Sources
from agents.evidence.row_verdict import RowJudge
from tests.unit.agents.evidence.test_sentences import TEXTS

PLANS = """| Plan | Requests per minute | Storage (GB) | Export |
|---|---|---|---|
| Free | 60 | 5 | no |
| Team | 600 | 100 | yes |"""
SHELVES = "shelf;boxes;weight_kg\nnorth;17;240\nsouth;21;180"
SERVER = "[server]\nport = 8443\nworkers = 6\n\n[cache]\nport = 6379\nttl = 600"
DEPLOYED = "spec:\n  replicas: 4\n  limits:\n    memory: 512Mi\n    cpu: 750m"
DEVICE = '{"device": "lamp-7", "place": {"floor": 3, "room": "attic"}, "is_dimmed": false}'
LOGINS = '{"user": "amira", "action": "login"}\n{"user": "jonas", "action": "export"}'
LOG = """2026-03-14 02:11:09,884 WARNING pool: 38 of 40 connections in use
2026-03-14 02:12:31,002 ERROR mailer: could not reach smtp.example.org, gave up after 30 s"""
RUN = "epoch 40: val_accuracy=0.93 val_loss=0.22"


def is_said(sentence: str, text: str, title: str = "") -> bool:
    judge = RowJudge([(text, title)], Sources([(text, title)]), "")
    return bool(judge.units_saying(sentence))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (PLANS, "The Team plan allows 600 requests per minute."),
        (PLANS, "The Free plan comes with 5 GB of storage."),
        (PLANS, "The Team plan has an export."),
        (PLANS, "The Free plan has no export."),
        (SHELVES, "The shelf north has 17 boxes with a weight of 240 kg."),
        (SERVER, "The server listens on port 8443."),
        (SERVER, "The ttl of the cache is 600."),
        (DEPLOYED, "The memory limit is 512Mi, with 4 replicas."),
        (DEVICE, "The device lamp-7 is on floor 3, in the room attic."),
        (DEVICE, "The lamp-7 is not dimmed."),
        (LOGINS, "The user jonas did an export."),
        (LOG, "At 02:11:09 the pool had 38 of 40 connections in use."),
        (LOG, "The mailer could not reach smtp.example.org and gave up after 30 s."),
        (RUN, "After epoch 40 the val_loss was 0.22."),
    ],
)
def test_a_row_says_what_its_cells_say_together(text: str, sentence: str) -> None:
    assert is_said(sentence, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (PLANS, "The Team plan allows 60 requests per minute."),
        (PLANS, "The Team plan comes with 600 GB of storage."),
        (PLANS, "The Team plan has no export."),
        (PLANS, "The Free plan has an export."),
        (SHELVES, "The shelf north has 21 boxes."),
        (SHELVES, "The shelf north has 240 boxes with a weight of 17 kg."),
        (SHELVES, "The shelf north has 17 boxes with a weight of 240 minutes."),
        (SERVER, "The server listens on port 6379."),
        (SERVER, "The ttl of the server is 600."),
        (SERVER, "The server has 600 workers."),
        (SERVER, "The server does not listen on port 8443."),
        (DEPLOYED, "The memory limit is 750m."),
        (DEVICE, "The lamp-7 is dimmed."),
        (DEVICE, "The device lamp-7 is on floor 4."),
        (LOGINS, "The user amira did an export."),
        (LOG, "The pool could not reach smtp.example.org."),
        (LOG, "At 02:11:09 the pool had 40 of 40 connections in use."),
        (LOG, "The mailer could reach smtp.example.org after 30 s."),
        (RUN, "After epoch 40 the val_loss was 0.93."),
    ],
)
def test_a_row_does_not_say_what_another_one_or_another_cell_says(text: str, sentence: str) -> None:
    assert not is_said(sentence, text)


def test_the_head_of_a_large_table_may_stand_in_the_titles() -> None:
    assert is_said(
        "The shelf south has 21 boxes.", "south;21;180\nwest;9;77", "shelf;boxes;weight_kg > a.csv"
    )


def test_what_a_sentence_says_besides_may_stand_in_the_question_or_around_the_table() -> None:
    text = f"Since Tallinn, all plans are new.\n\n{PLANS}"

    assert is_said("The Team plan of Tallinn allows 600 requests per minute.", text)
    assert not is_said("The Team plan of Riga allows 600 requests per minute.", text)


@settings(deadline=None, max_examples=100)
@given(TEXTS, TEXTS)
def test_any_sentence_is_held_against_any_text(sentence: str, text: str) -> None:
    sources = Sources([(text, sentence)])
    judge = RowJudge([(text, sentence)], sources, sentence)

    assert all(at < len(sources.units) for at in judge.units_saying(sentence))
