"""Checks of the item itself: why there is no stream record of it, or none of its last write.

Each is given what is known and the item's newest change, and says nothing unless it applies.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TypeAlias

from streamdev.observe.render import key_text
from streamdev.observe.why.findings import Finding, clock
from streamdev.observe.why.story import Change, Facts

ItemCheck: TypeAlias = Callable[[Facts, Change | None], Finding | None]


def engine_down(reason: str) -> Finding:
    """What is said where no engine answers; ``reason`` is how that was found out."""
    return Finding("engine-down", reason, "./dev.py up")


def table_missing(facts: Facts, _newest: Change | None) -> Finding | None:
    """The table does not exist."""
    if facts.live.table is not None:
        return None
    question = facts.question
    text = f"There is no table {question.table} in the engine, so nothing can be written to it."
    return Finding("table-missing", text, question.deploy)


def never_written(facts: Facts, newest: Change | None) -> Finding | None:
    """Neither the log, nor the stream, nor the table knows the item."""
    if newest is not None or facts.is_known:
        return None
    from streamdev.config.models import nearest

    question, history = facts.question, facts.history
    begins = f" (the log begins at {clock(history.begins)})" if history.begins else ""
    told = f"{question.item} was never written{begins}"
    cure = question.command("put-item", "NAME=VALUE --wait")
    if history.elsewhere:
        other = max(history.elsewhere.values(), key=lambda write: write.at)
        text = f"{told}; an item with that key was written to {other.table} at {clock(other.at)}."
        return Finding("never-written", text, _with_table(facts, other.table))
    known = {key_text(question.names.key(question.table, key)): key for key in history.other_keys}
    close = nearest(key_text(question.key), known)
    if close is not None:
        text = f"{told}; did you mean {close}, which was?"
        return Finding("never-written", text, _with_key(facts, close))
    text = f"{told}. A write that DynamoDB refused, or that went to another endpoint, is no write."
    if history.unkeyed:
        text = f"{told}, unless by one of the {history.unkeyed} PartiQL statements to the table."
    return Finding("never-written", text, cure)


def written_earlier(facts: Facts, newest: Change | None) -> Finding | None:
    """Its last write is older than what is looked at: the log and the stream, or ``since``."""
    if newest is not None or not facts.is_known:
        return None
    question, begins = facts.question, facts.history.begins
    since = question.since or begins
    when = f"Since {clock(since)}" if since else "Of late"
    before = "it is there from before" if facts.live.exists else "only before that"
    text = f"{when} {question.item} was not written; {before}."
    return Finding("not-written-since", text, question.command("update-item", "NAME=VALUE --wait"))


def stream_disabled(facts: Facts, newest: Change | None) -> Finding | None:
    """The table has no stream, so the write made no record."""
    table = facts.live.table
    if newest is None or newest.record or table is None or table.stream_arn is not None:
        return None
    text = f"The stream of {table.name} is off, so no change of it reaches a function."
    return Finding("stream-disabled", text, facts.question.deploy)


def before_stream(facts: Facts, newest: Change | None) -> Finding | None:
    """The stream was switched on after the write."""
    began = facts.live.stream_began
    write = newest.write if newest and not newest.record else None
    if began is None or write is None or write.at >= began:
        return None
    text = (
        f"The write of {clock(write.at)} came before the stream of {write.table} was switched on "
        f"({clock(began)}), so the stream has no record of it."
    )
    cure = facts.question.command("update-item", "NAME=VALUE --wait")
    return Finding("before-stream", text, cure)


def changed_nothing(facts: Facts, newest: Change | None) -> Finding | None:
    """The write left the item as it was, and DynamoDB makes no stream record of that."""
    write = newest.write if newest and not newest.record else None
    if newest is None or write is None:
        return None
    sure = newest.changed is False
    verb = "changed nothing" if sure else "most likely changed nothing"
    text = (
        f"The {write.operation} at {clock(write.at)} {verb}: the item was like that already, and "
        "such a write makes no stream record."
    )
    cure = facts.question.command("update-item", "NAME=VALUE --wait")
    return Finding("changed-nothing", text, cure, ok=sure)


def _with_table(facts: Facts, table: str) -> str:
    asked = facts.question.command("why")
    return f"{asked.removesuffix(facts.question.selector).rstrip()} --table {table}"


def _with_key(facts: Facts, close: str) -> str:
    words = ("./dev.py why", shlex.join(close.split(" / ")), facts.question.selector)
    return " ".join(word for word in words if word)


#: In this order: what comes first explains what follows.
ITEM_CHECKS: tuple[ItemCheck, ...] = (
    table_missing,
    never_written,
    written_earlier,
    stream_disabled,
    before_stream,
    changed_nothing,
)
