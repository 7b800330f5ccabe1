"""How the time until a deadline is shared out, each share of what is left when it begins.

One table, because the shares stand on each other: a task's plan, its steps and its answer follow
one another, a step's search, its calls of the model and its runs do so within the step. Shares and
not seconds, so that a goal with ten seconds and one with ten minutes go the same way.
"""

from __future__ import annotations

PLAN_SHARE = 0.5
"""Of the task, what the plan may take: a slow model's plan is worth waiting for, but where it takes
longer, the standard plan with half of the time gives the better answer."""
ANSWER_SHARE = 0.2
"""Of the task after the plan, what is kept back from the steps: an answer from what they have found
so far is worth more than one more result."""
SUBSCRIBERS_SHARE = 0.25
"""Of what the answer has, the wait for who acts on what steps have published last."""
DECIDE_SHARE = 0.25
"""Of what the answer has, the wait for who decides what steps have left in conflict: an answer that
says what is open is worth more than none."""

RESEARCH_SHARE = 0.3
"""Of a research step, what the search may take; sentences are quoted from what it finds, so that a
finding without the model is still possible, one without the search is not."""
EXAMPLES_SHARE = 0.2
"""Of a coding step, what the search for examples may take: a program can be written without any."""

CALL_SHARE = 0.9
"""Of a turn, what one call of the model may take: the rest is for doing without its answer."""
CALL_GRACE_SHARE = 0.05
"""Of a turn, beyond the call's share: what an adapter has to end a call by itself, with an error
that says more than a timeout does, before the call is cut off."""
CALL_LATE_SHARE = 0.98
"""Of a call's time: an adapter that fails after this has failed because of it."""
CALL_SILENT_SHARE = 0.6
"""Of a call's time, how much of it a model may say nothing where another is left to be asked. One
that speaks may use all of it."""
CALL_READ_SHARE = 0.5
"""Of a call's time, what reading the prompt may take: the rest is for the answer. A model that
reads for longer than the share above would count as one that can't answer."""
CALL_ANEW_SHARE = 0.1
"""Of a call's time, what has to be left for an answer that broke off to be begun anew: the attempt
that was late ends shortly before its caller does, and another one would only begin."""

RUN_SHARE = 0.5
"""Of a coding step, what one run of the program may take: a failed one leaves time for another."""

TLS_SHARE = 0.8
"""Of the time to connect to a store by TLS, what the store has: the rest is for asking one that is
silent whether it speaks any, which is a round trip."""
