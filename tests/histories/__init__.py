"""Journals of tasks as earlier versions wrote them, replayed against the code of today.

`recorded` has one file a task, one line an entry: the event to be read, the orders that follow from
the journal up to there, and the entry itself. A journal once recorded stays: a cluster that is
updated while its tasks run has such journals, and must go on as it would have before. New ones are
added with ``python -m tests.histories.record``.
"""
