"""Sentences about data are held against rows: values against the cells that are named for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from agents.evidence.data.row_verdict import RowJudge
from agents.evidence.features import Sources
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
SERVICES = """| service | owner | backup | price (EUR) | stock | released | region | active |
|---|---|---|---|---|---|---|---|
| billing | Alice | Bob | 12 | 30 | 2022-01-05 | us | yes |
| search | Carol | Dave | 15 | 40 | 2023-11-20 | it | no |"""
BROKER = (
    "[server]\nbackend = redis\nbroker = kafka\ndebug = true\nretries = 5\ntimeout_seconds = 30"
)
CACHE = "tls:\n  verify: true\n  cert: a.pem\ncache:\n  enabled: false\n  ttl: 60"
WORKER = """2026-05-02 08:00:01 ERROR worker 3 failed to connect to db2
2026-05-02 08:00:02 INFO user alice denied access to vault
2026-05-02 08:00:03 WARN job 17 skipped because disk 2 is full"""
LAKES = """| lake | depth (m) | area (km2) | country | rated |
|---|---|---|---|---|
| Inari | 92 | 1040 | Finland | yes |
| Garda | 346 | 370 | Italy | no |
| Bled | 30 | 1.4 | Slovenia | yes |"""
ORDERS = '[{"order": 7, "items": 3, "total": 84}, {"order": 9, "items": 6, "total": 540}]'
JOBS = """jobs:
  - name: build
    image: debian
    cache: true
  - name: deploy
    image: alpine
    cache: false"""
SECTIONS = "[cache]\nenabled = true\nsize = 64\n\n[log]\nlevel = warn\nfile = a.log"
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
        (SERVICES, "The owner of billing is Alice and the backup is Bob."),
        (SERVICES, "Billing costs 12 EUR and search costs 15 EUR."),
        (SERVICES, "The region of billing is us."),
        (SERVICES, "Billing was released on 2022-01-05."),
        (SERVICES, "Search is inactive."),
        (CACHE, "tls verify is enabled."),
        (CACHE, "The cache is disabled."),
        (WORKER, "Worker 3 failed to connect to db2."),
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
        (SERVICES, "The owner of billing is Bob and the backup is Alice."),
        (SERVICES, "Billing is the cheapest service."),
        (SERVICES, "Billing is a deprecated service."),
        (SERVICES, "Alice lost the billing service."),
        (SERVICES, "Alice needs Bob."),
        (SERVICES, "The price of billing exceeds 12."),
        (SERVICES, "The price of billing is at 12 million."),
        (SERVICES, "The price of billing is not 12."),
        (SERVICES, "Search is not active and its price is not 15."),
        (SERVICES, "The price of search is not 15."),
        (SERVICES, "Search costs 40."),
        (SERVICES, "Billing has a price of 12 EUR and 15 EUR."),
        (SERVICES, "Billing was released on 2022-05-01."),
        (SERVICES, "Billing was released before 2022-01-05."),
        (SERVICES, "Billing was released after 2022-01-05."),
        (SERVICES, "Billing is inactive."),
        (SERVICES, "Billing is enabled and search is enabled."),
        (BROKER, "The server backend is kafka and the broker is redis."),
        (BROKER, "The server rejects kafka as its broker."),
        (BROKER, "In the server section, debug is disabled."),
        (BROKER, "The broker kafka is enabled."),
        (BROKER, "The server retries 30 times with a timeout of 5 seconds."),
        (CACHE, "tls verify is disabled."),
        (CACHE, "The cache is enabled."),
        (CACHE, "The cache is not disabled."),
        (CACHE, "The tls is disabled."),
        (WORKER, "Worker 3 connected to db2."),
        (WORKER, "User alice has access to vault."),
        (WORKER, "Job 17 ran because disk 2 is full."),
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


def test_a_question_lends_a_sentence_no_verb() -> None:
    judge = RowJudge([(SERVICES, "")], Sources([(SERVICES, "")]), "Is the billing deprecated?")

    assert not judge.units_saying("Billing is a deprecated service.")


@pytest.mark.parametrize(
    "sentence",
    [
        "Inari has a depth of 92 m and Garda has a depth of 346 m.",
        "The depth is 92 m in Inari, 346 m in Garda, and 30 m in Bled.",
        "Inari is in Finland, Garda in Italy and Bled in Slovenia.",
        "Garda has an area of 370 km2, and Bled of 1.4 km2.",
        "Inari has a depth of 92 m and an area of 1040 km2, while Garda has 346 m and 370 km2.",
        "Inari has depth 92 m and area 1040 km2, while Bled has depth 30 m and area 1.4 km2.",
        "Inari is rated, but Garda is not.",
    ],
)
def test_each_clause_is_told_by_the_row_that_it_calls(sentence: str) -> None:
    assert is_said(sentence, LAKES)


@pytest.mark.parametrize(
    "sentence",
    [
        "Inari has a depth of 346 m and Garda has a depth of 92 m.",
        "Inari has a depth of 92 m and Garda has a depth of 92 m.",
        "The depth is 92 m in Inari and 370 m in Garda.",
        "Inari is in Finland, Garda in Slovenia and Bled in Italy.",
        "Garda has an area of 370 km2, and Bled of 30 km2.",
        "Inari has a depth of 92 m and an area of 1040 km2, while Garda has 370 m and 346 km2.",
        "Inari has depth 92 m and area 370 km2, while Bled has depth 30 m and area 1040 km2.",
        "Inari is rated, but Bled is not.",
        "Inari is rated, and Garda too.",
        "Garda has a depth of 346 m, Bled has a depth of 30 m, and both are in Slovenia.",
        "Garda has a depth of 346 m, and so has Bled.",
        "Neither Inari has a depth of 92 m nor Garda a depth of 346 m.",
        "Garda has a depth of 346 m, more than Inari with 92 m.",
        "If Inari has a depth of 92 m, Garda has a depth of 346 m.",
        "Bled is in Slovenia and has a depth of 346 m, Garda.",
    ],
)
def test_a_clause_is_told_by_no_other_row(sentence: str) -> None:
    assert not is_said(sentence, LAKES)


@pytest.mark.parametrize("sentence", ["Order 9 costs 6.", "Order 7 offers 3.", "Order 3 is there."])
def test_of_two_numbers_none_may_be_named_as_well(sentence: str) -> None:
    assert not is_said(sentence, ORDERS)


def test_the_numbers_of_a_whole_are_not_said_of_its_parts() -> None:
    text = (
        '{"suite": "pay", "failures": 2, "cases": [{"case": "twice", "line": 7}, {"case": "ok"}]}'
    )

    assert is_said("The case twice of the suite pay has the line 7.", text)
    assert not is_said("The case twice had 2 failures.", text)


@pytest.mark.parametrize(
    ("text", "sentence", "is_told"),
    [
        (SECTIONS, "The cache is enabled.", True),
        (SECTIONS, "The log has the level warn.", True),
        (SECTIONS, "The cache has the level warn.", False),
        (JOBS, "The image of build is debian.", True),
        (JOBS, "The image of deploy is debian.", False),
        (JOBS, "build has no cache.", False),
    ],
)
def test_a_section_that_is_only_named_affirms_nothing(
    text: str, sentence: str, *, is_told: bool
) -> None:
    assert is_said(sentence, text) is is_told


@pytest.mark.parametrize(
    ("sentence", "is_told"),
    [
        ("The host of the worker is db2.example.", True),
        ("The host of the web is db2.example.", False),
    ],
)
def test_an_identifier_is_said_whole(sentence: str, *, is_told: bool) -> None:
    text = '[web]\nhost = "db1.example"\nport = 80\n\n[worker]\nhost = "db2.example"\nport = 90'

    assert is_said(sentence, text) is is_told
