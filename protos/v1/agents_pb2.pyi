from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Coherence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COHERENCE_UNSPECIFIED: _ClassVar[Coherence]
    COHERENCE_CHAINED: _ClassVar[Coherence]
    COHERENCE_BROADCAST: _ClassVar[Coherence]

class Support(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUPPORT_UNSPECIFIED: _ClassVar[Support]
    SUPPORT_QUOTED: _ClassVar[Support]
    SUPPORT_PARAPHRASED: _ClassVar[Support]
    SUPPORT_UNVERIFIED: _ClassVar[Support]

class Basis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASIS_UNSPECIFIED: _ClassVar[Basis]
    BASIS_DOCUMENTS: _ClassVar[Basis]
    BASIS_MODEL: _ClassVar[Basis]
    BASIS_NOTHING: _ClassVar[Basis]

class Absence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ABSENCE_UNSPECIFIED: _ClassVar[Absence]
    ABSENCE_NONE: _ClassVar[Absence]
    ABSENCE_NOT_RUN: _ClassVar[Absence]
    ABSENCE_NOT_WRITTEN: _ClassVar[Absence]
    ABSENCE_FAILED: _ClassVar[Absence]
    ABSENCE_WITHHELD: _ClassVar[Absence]
COHERENCE_UNSPECIFIED: Coherence
COHERENCE_CHAINED: Coherence
COHERENCE_BROADCAST: Coherence
SUPPORT_UNSPECIFIED: Support
SUPPORT_QUOTED: Support
SUPPORT_PARAPHRASED: Support
SUPPORT_UNVERIFIED: Support
BASIS_UNSPECIFIED: Basis
BASIS_DOCUMENTS: Basis
BASIS_MODEL: Basis
BASIS_NOTHING: Basis
ABSENCE_UNSPECIFIED: Absence
ABSENCE_NONE: Absence
ABSENCE_NOT_RUN: Absence
ABSENCE_NOT_WRITTEN: Absence
ABSENCE_FAILED: Absence
ABSENCE_WITHHELD: Absence

class Packed(_message.Message):
    __slots__ = ("type", "body", "saw")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    SAW_FIELD_NUMBER: _ClassVar[int]
    type: str
    body: bytes
    saw: bytes
    def __init__(self, type: _Optional[str] = ..., body: _Optional[bytes] = ..., saw: _Optional[bytes] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("id", "agent", "instruction", "needs", "alternatives", "is_pure", "is_broadcast", "allowed_s", "expected_s")
    ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    IS_PURE_FIELD_NUMBER: _ClassVar[int]
    IS_BROADCAST_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_S_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_S_FIELD_NUMBER: _ClassVar[int]
    id: str
    agent: str
    instruction: str
    needs: _containers.RepeatedScalarFieldContainer[str]
    alternatives: _containers.RepeatedScalarFieldContainer[str]
    is_pure: bool
    is_broadcast: bool
    allowed_s: float
    expected_s: float
    def __init__(self, id: _Optional[str] = ..., agent: _Optional[str] = ..., instruction: _Optional[str] = ..., needs: _Optional[_Iterable[str]] = ..., alternatives: _Optional[_Iterable[str]] = ..., is_pure: _Optional[bool] = ..., is_broadcast: _Optional[bool] = ..., allowed_s: _Optional[float] = ..., expected_s: _Optional[float] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("steps",)
    STEPS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    def __init__(self, steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("source", "start_line", "end_line", "quote", "page", "document")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_LINE_FIELD_NUMBER: _ClassVar[int]
    END_LINE_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    source: str
    start_line: int
    end_line: int
    quote: str
    page: int
    document: str
    def __init__(self, source: _Optional[str] = ..., start_line: _Optional[int] = ..., end_line: _Optional[int] = ..., quote: _Optional[str] = ..., page: _Optional[int] = ..., document: _Optional[str] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("text", "support", "citations", "programs")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    text: str
    support: Support
    citations: _containers.RepeatedScalarFieldContainer[int]
    programs: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, text: _Optional[str] = ..., support: _Optional[_Union[Support, str]] = ..., citations: _Optional[_Iterable[int]] = ..., programs: _Optional[_Iterable[int]] = ...) -> None: ...

class Passage(_message.Message):
    __slots__ = ("source", "start_line", "end_line", "text", "score", "kind", "title", "breaks", "page", "document")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_LINE_FIELD_NUMBER: _ClassVar[int]
    END_LINE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    BREAKS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    source: str
    start_line: int
    end_line: int
    text: str
    score: float
    kind: str
    title: str
    breaks: _containers.RepeatedScalarFieldContainer[int]
    page: int
    document: str
    def __init__(self, source: _Optional[str] = ..., start_line: _Optional[int] = ..., end_line: _Optional[int] = ..., text: _Optional[str] = ..., score: _Optional[float] = ..., kind: _Optional[str] = ..., title: _Optional[str] = ..., breaks: _Optional[_Iterable[int]] = ..., page: _Optional[int] = ..., document: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("text", "citations", "degraded", "claims", "basis", "passages")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    text: str
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    degraded: _containers.RepeatedScalarFieldContainer[str]
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    basis: Basis
    passages: _containers.RepeatedCompositeFieldContainer[Passage]
    def __init__(self, text: _Optional[str] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ..., degraded: _Optional[_Iterable[str]] = ..., claims: _Optional[_Iterable[_Union[Claim, _Mapping]]] = ..., basis: _Optional[_Union[Basis, str]] = ..., passages: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("exit_code", "stdout", "stderr", "duration_s")
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    exit_code: int
    stdout: str
    stderr: str
    duration_s: float
    def __init__(self, exit_code: _Optional[int] = ..., stdout: _Optional[str] = ..., stderr: _Optional[str] = ..., duration_s: _Optional[float] = ...) -> None: ...

class Program(_message.Message):
    __slots__ = ("source", "run", "language", "degraded", "absence")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    ABSENCE_FIELD_NUMBER: _ClassVar[int]
    source: str
    run: Run
    language: str
    degraded: _containers.RepeatedScalarFieldContainer[str]
    absence: Absence
    def __init__(self, source: _Optional[str] = ..., run: _Optional[_Union[Run, _Mapping]] = ..., language: _Optional[str] = ..., degraded: _Optional[_Iterable[str]] = ..., absence: _Optional[_Union[Absence, str]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "message", "is_retryable", "retry_after_s")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    IS_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    kind: str
    message: str
    is_retryable: bool
    retry_after_s: float
    def __init__(self, kind: _Optional[str] = ..., message: _Optional[str] = ..., is_retryable: _Optional[bool] = ..., retry_after_s: _Optional[float] = ...) -> None: ...

class StepResult(_message.Message):
    __slots__ = ("step", "agent", "value", "is_unsourced")
    STEP_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    IS_UNSOURCED_FIELD_NUMBER: _ClassVar[int]
    step: str
    agent: str
    value: Packed
    is_unsourced: bool
    def __init__(self, step: _Optional[str] = ..., agent: _Optional[str] = ..., value: _Optional[_Union[Packed, _Mapping]] = ..., is_unsourced: _Optional[bool] = ...) -> None: ...

class ChatMessage(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("step", "instruction", "goal", "results", "collection", "redo", "missing", "priority", "effort", "is_pure", "conversation")
    STEP_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    REDO_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    IS_PURE_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    step: str
    instruction: str
    goal: str
    results: _containers.RepeatedCompositeFieldContainer[StepResult]
    collection: str
    redo: int
    missing: _containers.RepeatedScalarFieldContainer[str]
    priority: float
    effort: str
    is_pure: bool
    conversation: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    def __init__(self, step: _Optional[str] = ..., instruction: _Optional[str] = ..., goal: _Optional[str] = ..., results: _Optional[_Iterable[_Union[StepResult, _Mapping]]] = ..., collection: _Optional[str] = ..., redo: _Optional[int] = ..., missing: _Optional[_Iterable[str]] = ..., priority: _Optional[float] = ..., effort: _Optional[str] = ..., is_pure: _Optional[bool] = ..., conversation: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ...) -> None: ...

class Prepare(_message.Message):
    __slots__ = ("step", "instruction", "goal", "collection", "needs")
    STEP_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    step: str
    instruction: str
    goal: str
    collection: str
    needs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, step: _Optional[str] = ..., instruction: _Optional[str] = ..., goal: _Optional[str] = ..., collection: _Optional[str] = ..., needs: _Optional[_Iterable[str]] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("model_calls", "prompt_tokens", "completion_tokens", "wasted_tokens", "saved_tokens", "seconds", "tool_s", "saved_s", "cost", "hedges")
    MODEL_CALLS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    WASTED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SAVED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOOL_S_FIELD_NUMBER: _ClassVar[int]
    SAVED_S_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    HEDGES_FIELD_NUMBER: _ClassVar[int]
    model_calls: int
    prompt_tokens: int
    completion_tokens: int
    wasted_tokens: int
    saved_tokens: int
    seconds: float
    tool_s: float
    saved_s: float
    cost: float
    hedges: int
    def __init__(self, model_calls: _Optional[int] = ..., prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., wasted_tokens: _Optional[int] = ..., saved_tokens: _Optional[int] = ..., seconds: _Optional[float] = ..., tool_s: _Optional[float] = ..., saved_s: _Optional[float] = ..., cost: _Optional[float] = ..., hedges: _Optional[int] = ...) -> None: ...

class SeenField(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class SeenState(_message.Message):
    __slots__ = ("document", "version", "fields")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    document: str
    version: int
    fields: _containers.RepeatedCompositeFieldContainer[SeenField]
    def __init__(self, document: _Optional[str] = ..., version: _Optional[int] = ..., fields: _Optional[_Iterable[_Union[SeenField, _Mapping]]] = ...) -> None: ...

class SeenSource(_message.Message):
    __slots__ = ("source", "document")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    source: str
    document: str
    def __init__(self, source: _Optional[str] = ..., document: _Optional[str] = ...) -> None: ...

class SeenNamespace(_message.Message):
    __slots__ = ("namespace", "version", "sources")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    version: int
    sources: _containers.RepeatedCompositeFieldContainer[SeenSource]
    def __init__(self, namespace: _Optional[str] = ..., version: _Optional[int] = ..., sources: _Optional[_Iterable[_Union[SeenSource, _Mapping]]] = ...) -> None: ...

class Saw(_message.Message):
    __slots__ = ("states", "namespaces", "is_whole", "is_declared", "missing", "made_by", "spent", "fell_back")
    STATES_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    IS_WHOLE_FIELD_NUMBER: _ClassVar[int]
    IS_DECLARED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    MADE_BY_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    FELL_BACK_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedCompositeFieldContainer[SeenState]
    namespaces: _containers.RepeatedCompositeFieldContainer[SeenNamespace]
    is_whole: bool
    is_declared: bool
    missing: _containers.RepeatedScalarFieldContainer[str]
    made_by: str
    spent: Usage
    fell_back: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, states: _Optional[_Iterable[_Union[SeenState, _Mapping]]] = ..., namespaces: _Optional[_Iterable[_Union[SeenNamespace, _Mapping]]] = ..., is_whole: _Optional[bool] = ..., is_declared: _Optional[bool] = ..., missing: _Optional[_Iterable[str]] = ..., made_by: _Optional[str] = ..., spent: _Optional[_Union[Usage, _Mapping]] = ..., fell_back: _Optional[_Iterable[str]] = ...) -> None: ...

class TopicNews(_message.Message):
    __slots__ = ("step", "topic", "version", "known", "new")
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    step: str
    topic: str
    version: int
    known: int
    new: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, step: _Optional[str] = ..., topic: _Optional[str] = ..., version: _Optional[int] = ..., known: _Optional[int] = ..., new: _Optional[_Iterable[str]] = ...) -> None: ...

class TopicActedOn(_message.Message):
    __slots__ = ("topic", "version")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    topic: str
    version: int
    def __init__(self, topic: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class Rival(_message.Message):
    __slots__ = ("value", "author", "step")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    value: str
    author: str
    step: str
    def __init__(self, value: _Optional[str] = ..., author: _Optional[str] = ..., step: _Optional[str] = ...) -> None: ...

class ConflictRequest(_message.Message):
    __slots__ = ("document", "state", "field", "has_key", "key", "rivals", "goal")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    HAS_KEY_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    RIVALS_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    document: str
    state: str
    field: str
    has_key: bool
    key: str
    rivals: _containers.RepeatedCompositeFieldContainer[Rival]
    goal: str
    def __init__(self, document: _Optional[str] = ..., state: _Optional[str] = ..., field: _Optional[str] = ..., has_key: _Optional[bool] = ..., key: _Optional[str] = ..., rivals: _Optional[_Iterable[_Union[Rival, _Mapping]]] = ..., goal: _Optional[str] = ...) -> None: ...

class ConflictDecision(_message.Message):
    __slots__ = ("value", "is_left_open")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    IS_LEFT_OPEN_FIELD_NUMBER: _ClassVar[int]
    value: str
    is_left_open: bool
    def __init__(self, value: _Optional[str] = ..., is_left_open: _Optional[bool] = ...) -> None: ...

class Submission(_message.Message):
    __slots__ = ("task", "goal", "collection", "is_again", "coherence", "workflow", "tokens_max", "cost_max", "owner", "is_detached", "conversation", "is_aside")
    TASK_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    IS_AGAIN_FIELD_NUMBER: _ClassVar[int]
    COHERENCE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    COST_MAX_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    IS_DETACHED_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    IS_ASIDE_FIELD_NUMBER: _ClassVar[int]
    task: str
    goal: str
    collection: str
    is_again: bool
    coherence: Coherence
    workflow: Plan
    tokens_max: int
    cost_max: float
    owner: str
    is_detached: bool
    conversation: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    is_aside: bool
    def __init__(self, task: _Optional[str] = ..., goal: _Optional[str] = ..., collection: _Optional[str] = ..., is_again: _Optional[bool] = ..., coherence: _Optional[_Union[Coherence, str]] = ..., workflow: _Optional[_Union[Plan, _Mapping]] = ..., tokens_max: _Optional[int] = ..., cost_max: _Optional[float] = ..., owner: _Optional[str] = ..., is_detached: _Optional[bool] = ..., conversation: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., is_aside: _Optional[bool] = ...) -> None: ...

class CancelTask(_message.Message):
    __slots__ = ("task", "reason")
    TASK_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    task: str
    reason: str
    def __init__(self, task: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Seen(_message.Message):
    __slots__ = ("task", "index")
    TASK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    task: str
    index: int
    def __init__(self, task: _Optional[str] = ..., index: _Optional[int] = ...) -> None: ...

class SecondLook(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: str
    def __init__(self, task: _Optional[str] = ...) -> None: ...

class StepProgram(_message.Message):
    __slots__ = ("step", "program")
    STEP_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    step: str
    program: Program
    def __init__(self, step: _Optional[str] = ..., program: _Optional[_Union[Program, _Mapping]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("text", "citations", "programs", "degraded", "claims")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    text: str
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    programs: _containers.RepeatedCompositeFieldContainer[StepProgram]
    degraded: _containers.RepeatedScalarFieldContainer[str]
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    def __init__(self, text: _Optional[str] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ..., programs: _Optional[_Iterable[_Union[StepProgram, _Mapping]]] = ..., degraded: _Optional[_Iterable[str]] = ..., claims: _Optional[_Iterable[_Union[Claim, _Mapping]]] = ...) -> None: ...

class Submitted(_message.Message):
    __slots__ = ("goal", "collection", "submitted_wall_s", "deadline_wall_s", "coherence", "workflow", "tokens_max", "cost_max", "owner", "is_detached", "conversation", "is_aside")
    GOAL_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_WALL_S_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_WALL_S_FIELD_NUMBER: _ClassVar[int]
    COHERENCE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    COST_MAX_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    IS_DETACHED_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    IS_ASIDE_FIELD_NUMBER: _ClassVar[int]
    goal: str
    collection: str
    submitted_wall_s: float
    deadline_wall_s: float
    coherence: Coherence
    workflow: Plan
    tokens_max: int
    cost_max: float
    owner: str
    is_detached: bool
    conversation: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    is_aside: bool
    def __init__(self, goal: _Optional[str] = ..., collection: _Optional[str] = ..., submitted_wall_s: _Optional[float] = ..., deadline_wall_s: _Optional[float] = ..., coherence: _Optional[_Union[Coherence, str]] = ..., workflow: _Optional[_Union[Plan, _Mapping]] = ..., tokens_max: _Optional[int] = ..., cost_max: _Optional[float] = ..., owner: _Optional[str] = ..., is_detached: _Optional[bool] = ..., conversation: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., is_aside: _Optional[bool] = ...) -> None: ...

class Routed(_message.Message):
    __slots__ = ("intent", "route", "confidence", "effort", "seconds")
    INTENT_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    intent: str
    route: str
    confidence: float
    effort: str
    seconds: float
    def __init__(self, intent: _Optional[str] = ..., route: _Optional[str] = ..., confidence: _Optional[float] = ..., effort: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class StepPlanned(_message.Message):
    __slots__ = ("planned", "degraded")
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    planned: Step
    degraded: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, planned: _Optional[_Union[Step, _Mapping]] = ..., degraded: _Optional[_Iterable[str]] = ...) -> None: ...

class PlanReady(_message.Message):
    __slots__ = ("plan", "degraded", "spent")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    plan: Plan
    degraded: _containers.RepeatedScalarFieldContainer[str]
    spent: Usage
    def __init__(self, plan: _Optional[_Union[Plan, _Mapping]] = ..., degraded: _Optional[_Iterable[str]] = ..., spent: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class StepStarted(_message.Message):
    __slots__ = ("attempt", "reason")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    reason: str
    def __init__(self, attempt: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Thought(_message.Message):
    __slots__ = ("text", "is_reasoning", "is_final")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    IS_REASONING_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    text: str
    is_reasoning: bool
    is_final: bool
    def __init__(self, text: _Optional[str] = ..., is_reasoning: _Optional[bool] = ..., is_final: _Optional[bool] = ...) -> None: ...

class FindingReady(_message.Message):
    __slots__ = ("finding",)
    FINDING_FIELD_NUMBER: _ClassVar[int]
    finding: Finding
    def __init__(self, finding: _Optional[_Union[Finding, _Mapping]] = ...) -> None: ...

class ProgramWritten(_message.Message):
    __slots__ = ("source", "attempt", "origin")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    source: str
    attempt: int
    origin: str
    def __init__(self, source: _Optional[str] = ..., attempt: _Optional[int] = ..., origin: _Optional[str] = ...) -> None: ...

class ProgramRan(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: Run
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ...) -> None: ...

class FellBack(_message.Message):
    __slots__ = ("what", "reason")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    what: str
    reason: str
    def __init__(self, what: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Hedged(_message.Message):
    __slots__ = ("what", "after_s", "reason")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    AFTER_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    what: str
    after_s: float
    reason: str
    def __init__(self, what: _Optional[str] = ..., after_s: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class Spent(_message.Message):
    __slots__ = ("on", "seconds", "prompt_tokens", "completion_tokens", "wasted_tokens", "saved_tokens", "saved_s", "cost", "hedges")
    ON_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    WASTED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SAVED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SAVED_S_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    HEDGES_FIELD_NUMBER: _ClassVar[int]
    on: str
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    wasted_tokens: int
    saved_tokens: int
    saved_s: float
    cost: float
    hedges: int
    def __init__(self, on: _Optional[str] = ..., seconds: _Optional[float] = ..., prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., wasted_tokens: _Optional[int] = ..., saved_tokens: _Optional[int] = ..., saved_s: _Optional[float] = ..., cost: _Optional[float] = ..., hedges: _Optional[int] = ...) -> None: ...

class StepFinished(_message.Message):
    __slots__ = ("outcome", "attempts", "failure", "result", "value", "saw", "degraded", "spent")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SAW_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    outcome: str
    attempts: int
    failure: Failure
    result: str
    value: Packed
    saw: Saw
    degraded: _containers.RepeatedScalarFieldContainer[str]
    spent: Usage
    def __init__(self, outcome: _Optional[str] = ..., attempts: _Optional[int] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., result: _Optional[str] = ..., value: _Optional[_Union[Packed, _Mapping]] = ..., saw: _Optional[_Union[Saw, _Mapping]] = ..., degraded: _Optional[_Iterable[str]] = ..., spent: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class DocumentChange(_message.Message):
    __slots__ = ("document", "places", "from_version", "to_version", "is_gone")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    FROM_VERSION_FIELD_NUMBER: _ClassVar[int]
    TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_GONE_FIELD_NUMBER: _ClassVar[int]
    document: str
    places: _containers.RepeatedScalarFieldContainer[str]
    from_version: int
    to_version: int
    is_gone: bool
    def __init__(self, document: _Optional[str] = ..., places: _Optional[_Iterable[str]] = ..., from_version: _Optional[int] = ..., to_version: _Optional[int] = ..., is_gone: _Optional[bool] = ...) -> None: ...

class StepStale(_message.Message):
    __slots__ = ("changes", "redo", "results")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REDO_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[DocumentChange]
    redo: int
    results: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, changes: _Optional[_Iterable[_Union[DocumentChange, _Mapping]]] = ..., redo: _Optional[int] = ..., results: _Optional[_Iterable[str]] = ...) -> None: ...

class StateMerged(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[DocumentChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[DocumentChange, _Mapping]]] = ...) -> None: ...

class ConflictSide(_message.Message):
    __slots__ = ("value", "author", "step", "version")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    value: str
    author: str
    step: str
    version: int
    def __init__(self, value: _Optional[str] = ..., author: _Optional[str] = ..., step: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class StateConflicted(_message.Message):
    __slots__ = ("document", "field", "key", "sides")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SIDES_FIELD_NUMBER: _ClassVar[int]
    document: str
    field: str
    key: str
    sides: _containers.RepeatedCompositeFieldContainer[ConflictSide]
    def __init__(self, document: _Optional[str] = ..., field: _Optional[str] = ..., key: _Optional[str] = ..., sides: _Optional[_Iterable[_Union[ConflictSide, _Mapping]]] = ...) -> None: ...

class Speculated(_message.Message):
    __slots__ = ("guess", "probability", "saved_s")
    GUESS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    SAVED_S_FIELD_NUMBER: _ClassVar[int]
    guess: Step
    probability: float
    saved_s: float
    def __init__(self, guess: _Optional[_Union[Step, _Mapping]] = ..., probability: _Optional[float] = ..., saved_s: _Optional[float] = ...) -> None: ...

class Adopted(_message.Message):
    __slots__ = ("guess",)
    GUESS_FIELD_NUMBER: _ClassVar[int]
    guess: str
    def __init__(self, guess: _Optional[str] = ...) -> None: ...

class Discarded(_message.Message):
    __slots__ = ("guess", "reason")
    GUESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    guess: str
    reason: str
    def __init__(self, guess: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Answered(_message.Message):
    __slots__ = ("answer", "spent")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    answer: Answer
    spent: Usage
    def __init__(self, answer: _Optional[_Union[Answer, _Mapping]] = ..., spent: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class Corrected(_message.Message):
    __slots__ = ("claim", "text", "support", "citations")
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    claim: int
    text: str
    support: Support
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    def __init__(self, claim: _Optional[int] = ..., text: _Optional[str] = ..., support: _Optional[_Union[Support, str]] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ...) -> None: ...

class Corrections(_message.Message):
    __slots__ = ("found",)
    FOUND_FIELD_NUMBER: _ClassVar[int]
    found: _containers.RepeatedCompositeFieldContainer[Corrected]
    def __init__(self, found: _Optional[_Iterable[_Union[Corrected, _Mapping]]] = ...) -> None: ...

class Clarified(_message.Message):
    __slots__ = ("question",)
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    question: str
    def __init__(self, question: _Optional[str] = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = ("after", "before")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    after: str
    before: str
    def __init__(self, after: _Optional[str] = ..., before: _Optional[str] = ...) -> None: ...

class Failed(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class WasCancelled(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("at_s", "task", "agent", "step", "index", "submitted", "step_planned", "plan_ready", "step_started", "thought", "finding", "program", "ran", "fell_back", "spent", "step_finished", "answered", "failed", "cancelled", "corrected", "stale", "merged", "conflict", "routed", "hedged", "speculated", "adopted", "discarded", "clarify", "gap")
    AT_S_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_FIELD_NUMBER: _ClassVar[int]
    STEP_PLANNED_FIELD_NUMBER: _ClassVar[int]
    PLAN_READY_FIELD_NUMBER: _ClassVar[int]
    STEP_STARTED_FIELD_NUMBER: _ClassVar[int]
    THOUGHT_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    RAN_FIELD_NUMBER: _ClassVar[int]
    FELL_BACK_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    STEP_FINISHED_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    MERGED_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_FIELD_NUMBER: _ClassVar[int]
    ROUTED_FIELD_NUMBER: _ClassVar[int]
    HEDGED_FIELD_NUMBER: _ClassVar[int]
    SPECULATED_FIELD_NUMBER: _ClassVar[int]
    ADOPTED_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_FIELD_NUMBER: _ClassVar[int]
    CLARIFY_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    at_s: float
    task: str
    agent: str
    step: str
    index: int
    submitted: Submitted
    step_planned: StepPlanned
    plan_ready: PlanReady
    step_started: StepStarted
    thought: Thought
    finding: FindingReady
    program: ProgramWritten
    ran: ProgramRan
    fell_back: FellBack
    spent: Spent
    step_finished: StepFinished
    answered: Answered
    failed: Failed
    cancelled: WasCancelled
    corrected: Corrected
    stale: StepStale
    merged: StateMerged
    conflict: StateConflicted
    routed: Routed
    hedged: Hedged
    speculated: Speculated
    adopted: Adopted
    discarded: Discarded
    clarify: Clarified
    gap: Gap
    def __init__(self, at_s: _Optional[float] = ..., task: _Optional[str] = ..., agent: _Optional[str] = ..., step: _Optional[str] = ..., index: _Optional[int] = ..., submitted: _Optional[_Union[Submitted, _Mapping]] = ..., step_planned: _Optional[_Union[StepPlanned, _Mapping]] = ..., plan_ready: _Optional[_Union[PlanReady, _Mapping]] = ..., step_started: _Optional[_Union[StepStarted, _Mapping]] = ..., thought: _Optional[_Union[Thought, _Mapping]] = ..., finding: _Optional[_Union[FindingReady, _Mapping]] = ..., program: _Optional[_Union[ProgramWritten, _Mapping]] = ..., ran: _Optional[_Union[ProgramRan, _Mapping]] = ..., fell_back: _Optional[_Union[FellBack, _Mapping]] = ..., spent: _Optional[_Union[Spent, _Mapping]] = ..., step_finished: _Optional[_Union[StepFinished, _Mapping]] = ..., answered: _Optional[_Union[Answered, _Mapping]] = ..., failed: _Optional[_Union[Failed, _Mapping]] = ..., cancelled: _Optional[_Union[WasCancelled, _Mapping]] = ..., corrected: _Optional[_Union[Corrected, _Mapping]] = ..., stale: _Optional[_Union[StepStale, _Mapping]] = ..., merged: _Optional[_Union[StateMerged, _Mapping]] = ..., conflict: _Optional[_Union[StateConflicted, _Mapping]] = ..., routed: _Optional[_Union[Routed, _Mapping]] = ..., hedged: _Optional[_Union[Hedged, _Mapping]] = ..., speculated: _Optional[_Union[Speculated, _Mapping]] = ..., adopted: _Optional[_Union[Adopted, _Mapping]] = ..., discarded: _Optional[_Union[Discarded, _Mapping]] = ..., clarify: _Optional[_Union[Clarified, _Mapping]] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ...) -> None: ...
