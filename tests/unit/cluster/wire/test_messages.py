"""Messages survive the wire, the users' own included; nonsense is refused."""

from __future__ import annotations

import dataclasses
import typing

import pytest
from google.protobuf import struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from cluster.kernel import events, reads
from cluster.kernel import vocabulary as tasks
from cluster.kernel.errors import UsageError, WireError
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.accounts import Account
from cluster.wire.codec import NAME_CHARS_MAX, SAW_BYTES_MAX
from cluster.wire.messages import MessageCodec, Opaque
from protos.v1 import agents_pb2

MESSAGES = [
    value
    for value in [*vars(tasks).values(), *vars(events).values()]
    if isinstance(value, type) and hasattr(value, "__dataclass_fields__")
]
WIRE_MESSAGES = [
    cls
    for cls in MESSAGES
    if cls
    not in (
        tasks.Role,
        tasks.PlanRequest,
        tasks.PlanProposal,
        tasks.ComposeRequest,
        tasks.VerifyRequest,
        tasks.StepResult,
        tasks.Assignment,
        events.Event,
        events.UnknownDetail,
    )
]


class Review(BaseModel):
    verdict: str
    score: float


NUMBERS: dict[object, st.SearchStrategy[object]] = {
    int: st.integers(min_value=0, max_value=2**31 - 1),
    float: st.floats(allow_nan=False),
}
"""Protobuf's integers have a width, and nan is unequal to itself; hypothesis builds the rest."""

INDEXES = st.lists(NUMBERS[int], max_size=4).map(tuple)

SEEN = reads.SeenField, reads.SeenState, reads.SeenNamespace
for _cls in (tasks.Citation, tasks.Run, events.Spent, *SEEN, *WIRE_MESSAGES):
    _hints = typing.get_type_hints(_cls)
    _numbers = {
        field.name: NUMBERS[_hints[field.name]]
        for field in dataclasses.fields(_cls)
        if _hints[field.name] in NUMBERS
    }
    _numbers |= {name: INDEXES for name, hint in _hints.items() if hint == tuple[int, ...]}
    if _numbers:
        st.register_type_strategy(_cls, st.builds(_cls, **_numbers))


@pytest.mark.parametrize("cls", WIRE_MESSAGES, ids=lambda cls: cls.__name__)
def test_every_message_survives_the_wire(cls: type) -> None:
    codec = MessageCodec()

    @settings(max_examples=15, deadline=None)
    @given(st.from_type(cls))
    def check(message: object) -> None:
        assert codec.decode(*codec.encode(message)) == message

    check()


def test_an_assignment_carries_results_of_any_type() -> None:
    codec = MessageCodec()
    codec.register(Review)
    message = tasks.Assignment(
        StepId("s"),
        "do",
        "goal",
        (
            tasks.StepResult(StepId("r1"), "researcher", tasks.Finding("found")),
            tasks.StepResult(StepId("v"), "reviewer", Review(verdict="good", score=0.5)),
            tasks.StepResult(StepId("c"), "coder", tasks.Failure("model", "gone")),
        ),
    )

    assert codec.decode(*codec.encode(message)) == message


@pytest.mark.parametrize("number", [agents_pb2.SUPPORT_UNSPECIFIED, 99])
def test_a_support_that_is_not_known_here_is_unverified(number: agents_pb2.Support) -> None:
    sent = agents_pb2.Answer(text="a", claims=[agents_pb2.Claim(text="a", support=number)])

    answer = MessageCodec().decode("fleetmind.v1.Answer", sent.SerializeToString())

    assert answer == tasks.Answer("a", claims=(tasks.Claim("a", tasks.Support.UNVERIFIED),))


def test_a_finding_of_before_there_were_claims_rests_on_documents() -> None:
    sent = agents_pb2.Finding(text="a [1]", citations=[agents_pb2.Citation(source="s")])

    finding = MessageCodec().decode("fleetmind.v1.Finding", sent.SerializeToString())

    assert finding == tasks.Finding("a [1]", (tasks.Citation("s", 0, 0, ""),))
    assert finding.basis is tasks.Basis.DOCUMENTS


def test_a_program_of_before_there_were_absences_is_absent_where_it_is_empty() -> None:
    sent = agents_pb2.Program(language="python", degraded=["No program is offered."])

    program = MessageCodec().decode("fleetmind.v1.Program", sent.SerializeToString())

    assert isinstance(program, tasks.Program)
    assert (program.absence, program.is_absent) == (tasks.Absence.NONE, True)


def test_every_value_of_a_text_enum_has_its_name_on_the_wire() -> None:
    enums = (
        (tasks.Support, agents_pb2.Support),
        (tasks.Basis, agents_pb2.Basis),
        (tasks.Absence, agents_pb2.Absence),
    )
    for cls, proto in enums:
        names = [f"{cls.__name__.upper()}_{each.name}" for each in cls]
        assert proto.keys() == [f"{cls.__name__.upper()}_UNSPECIFIED", *names]


def test_a_type_nobody_registered_here_is_passed_on_unchanged() -> None:
    here, there = MessageCodec(), MessageCodec()
    sent = here.encode(Review(verdict="good", score=1.0))

    opaque = there.decode(*sent)

    assert isinstance(opaque, Opaque)
    assert '"verdict": "good"' in opaque.text()
    assert opaque.class_name == "Review"
    assert there.encode(opaque) == sent


def test_the_class_of_a_protobuf_that_nobody_knows_here_has_its_own_name() -> None:
    assert Opaque("reviews.v1.Review", b"").class_name == "Review"


def test_a_users_model_is_validated_on_arrival() -> None:
    codec = MessageCodec()
    codec.register(Review)
    struct = struct_pb2.Struct()
    struct.update({"verdict": "good"})

    with pytest.raises(WireError):
        codec.decode("struct:Review", struct.SerializeToString())


def test_a_plain_class_cannot_be_a_message() -> None:
    with pytest.raises(UsageError, match="pydantic"):
        MessageCodec().encode(object())


def test_random_bytes_are_refused_as_a_wire_error() -> None:
    with pytest.raises(WireError):
        MessageCodec().decode("fleetmind.v1.Finding", b"\xff\xff\xff")


def test_an_event_keeps_its_place_and_its_detail() -> None:
    codec = MessageCodec()
    event = events.Event(
        1.5, TaskId("t"), AgentId("coder-0"), StepId("c1"), events.ProgramRan(tasks.Run(0, "1", ""))
    )

    assert codec.decode(*codec.encode(event)) == event


def test_every_detail_of_an_event_has_a_place_in_the_wire_message() -> None:
    codec = MessageCodec()
    for cls in typing.get_args(events.KnownDetail):
        assert codec.encode(_simplest(cls))[0] == f"fleetmind.v1.{cls.__name__}"


def _simplest(cls: type) -> object:
    values: dict[str, object] = {
        "goal": "g",
        "claim": 1,
        "planned": tasks.Step(StepId("a"), "b", "c"),
        "plan": tasks.Plan(),
        "text": "t",
        "finding": tasks.Finding("f"),
        "source": "s",
        "run": tasks.Run(0, "", ""),
        "what": "w",
        "reason": "r",
        "on": "model",
        "seconds": 1.0,
        "outcome": "finished",
        "answer": tasks.Answer("a"),
        "failure": tasks.Failure("usage", "m"),
        "changes": (reads.DocumentChange("cluster/Board", ("facts",), 3, 4),),
        "document": "cluster/Board",
        "field": "facts",
        "intent": "chat",
        "route": "team",
        "after_s": 0.5,
        "guess": StepId("~1")
        if cls is not events.Speculated
        else tasks.Step(StepId("~1"), "coder", "i"),
        "question": "q?",
        "after": "1.2",
        "before": "1.9",
    }
    if cls in (events.Adopted, events.Discarded):
        values["guess"] = StepId("~1")
    hints = typing.get_type_hints(cls)
    return cls(**{k: v for k, v in values.items() if k in hints and k != "kind"})


def test_what_a_result_tells_of_its_making_has_room_beside_all_that_a_turn_may_read() -> None:
    read, account, newest = reads.Reads(), Account(), 2**64 - 1
    while read.saw().is_whole:
        number = sum(len(state.fields) for state in read.saw().states)
        read.state(f"cluster/Board/{number % 4}", newest, [f"{number:0100}"])
    for number in range(100):
        account.note(events.FellBack("model", f"{number}: the endpoint is gone"))
    account.note(events.Spent("model", 1.1, newest, newest, newest, newest, 1.1, 1.1, 2**32 - 1))
    account.note(events.Spent("tool", 1.1))
    made_by = "x" * NAME_CHARS_MAX

    saw = account.added_to(dataclasses.replace(read.saw(), made_by=made_by))

    _, body = MessageCodec().encode(saw)
    assert reads.NAMES_BYTES_MAX < len(body) <= SAW_BYTES_MAX
