"""The judge of the message campaign notices each way in which the promise can be broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chaos.event_log import Record
from tests.chaos.message_format import ACKED, EFFECT, UP_TO, acked_path, effects_path
from tests.chaos.message_judge import MessageVerdict, judge_messages

Effect = tuple[int, int]
"""Number of the message, incarnation of the sink."""


def judged(
    folder: Path,
    effects: Iterable[Effect],
    acked: Iterable[int] = (),
    records: Sequence[Record] = (),
) -> MessageVerdict:
    """Judge one conversation of the asker."""
    written = [
        EFFECT.pack(float(at), 0, 1, 3, number, sink) for at, (number, sink) in enumerate(effects)
    ]
    effects_path(folder).write_bytes(b"".join(written))
    acked_path(folder, "asker-0").write_bytes(b"".join(ACKED.pack(0, 1, 3, n) for n in acked))
    return judge_messages(folder, records)


def test_messages_that_took_effect_in_order_break_no_promise(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [(1, 1), (2, 1), (3, 1)], acked=[1, 3, 2])

    assert (verdict.acked, verdict.applied) == (3, 3)
    assert (verdict.lost, verdict.twice, verdict.disordered) == (0, 0, 0)


def test_an_acknowledged_message_without_effect_is_lost(tmp_path: Path) -> None:
    assert judged(tmp_path, [(1, 1)], acked=[1, 2]).lost == 1


def test_everything_up_to_an_acknowledged_number_must_have_taken_effect(tmp_path: Path) -> None:
    acked_path(tmp_path, "teller-0").write_bytes(ACKED.pack(1, 1, 0 | UP_TO, 5))

    verdict = judged(tmp_path, [])

    assert (verdict.acked, verdict.lost) == (5, 5)


def test_a_second_effect_by_the_same_incarnation_is_a_violation(tmp_path: Path) -> None:
    assert judged(tmp_path, [(1, 1), (1, 1)]).twice == 1


def test_a_second_effect_by_the_next_incarnation_is_what_a_key_refuses(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [(1, 1), (2, 1), (2, 2), (3, 2)])

    assert (verdict.twice, verdict.disordered, verdict.refused_again) == (0, 0, 1)


def test_an_effect_before_its_turn_is_out_of_order(tmp_path: Path) -> None:
    assert judged(tmp_path, [(1, 1), (3, 1), (2, 1)]).disordered == 1


def test_a_torn_last_line_is_not_read(tmp_path: Path) -> None:
    judged(tmp_path, [(1, 1), (2, 1)])
    path = effects_path(tmp_path)
    path.write_bytes(path.read_bytes()[:-3])

    assert judge_messages(tmp_path, []).applied == 1


def test_what_a_sender_gave_up_counts_unless_it_was_fenced_off(tmp_path: Path) -> None:
    gave_up: Record = {"what": "gave up", "agent": "asker-0", "pid": 7, "error": "nobody answers"}
    fenced: Record = {"what": "fenced", "agent": "asker-0", "pid": 7}

    assert judged(tmp_path, [], records=[gave_up]).given_up == 1
    assert judged(tmp_path, [], records=[gave_up, fenced]).given_up == 0


def test_the_next_effect_is_found_for_one_sender_or_all(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [(1, 1), (2, 1), (3, 1)])

    assert verdict.next_effect_after(0.5, "sink-0") == 0.5
    assert verdict.next_effect_after(0.5, "asker-0") == 0.5
    assert verdict.next_effect_after(0.5, "teller-0") is None
    assert verdict.next_effect_after(2.5, "sink-0") is None
