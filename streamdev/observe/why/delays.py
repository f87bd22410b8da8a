"""Checks of what keeps a record waiting that its mapping has read, or is about to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from streamdev.observe.records import Processed
from streamdev.observe.why.findings import (
    Finding,
    attempts_text,
    clock,
    failure_text,
    record_text,
)
from streamdev.observe.why.story import Facts, Passage
from streamdev.semantics.chaos import REASON as CHAOS

_THROTTLED = "TooManyRequestsException"


def chaos(facts: Facts, passage: Passage) -> Finding | None:
    """Chaos keeps the record's lane from going on: it failed, throttled or holds back a batch."""
    retry, name = passage.retry(facts.history.busy), passage.function
    cure = "End ./dev.py chaos, or wait: the batch is tried again as on AWS"
    if retry is not None and str(retry["reason"]).startswith(CHAOS):
        what = "Its batch" if passage.in_batch else "The batch before it"
        how, then = str(retry["reason"]).removeprefix(CHAOS), _time(retry["next"])
        text = f"{what} was {how}; attempt {retry['attempt']} is at {then}."
        return Finding("chaos", text, cure, function=name)
    deeds = [one for one in facts.history.chaos if one.function == name]
    until = deeds[-1].until if deeds else None
    if until is None or until < facts.live.at or not passage.lane or not passage.lane["batch"]:
        return None
    what = "it" if passage.in_batch else "the batch before it"
    return Finding(
        "chaos", f"./dev.py chaos holds {what} back until {clock(until)}.", cure, function=name
    )


def throttled(facts: Facts, passage: Passage) -> Finding | None:
    """Lambda refuses to run the function: its reserved concurrency is 0 or in use."""
    retry = passage.retry(facts.history.busy)
    if retry is None or not str(retry["reason"]).startswith(_THROTTLED):
        return None
    name, reserved = passage.function, passage.state and passage.state.reserved_concurrency
    if reserved == 0:
        text = f"{name} is throttled: its reserved concurrency is 0, so it is never invoked."
        cure = f"Set another reserved-concurrency in pipelines.toml, then {facts.question.deploy}"
        return Finding("throttled", text, cure, function=name)
    users = _invocations(facts, name)
    used = (
        f"all {reserved} of its reserved concurrency is in use"
        if reserved
        else str(retry["reason"])
    )
    by = f", by {' and '.join(users)}" if users else ""
    text = f"{name} is throttled: {used}{by}. Next try at {_time(retry['next'])}."
    cure = (
        "Wait for what runs, or set a greater reserved-concurrency in pipelines.toml, then "
        f"{facts.question.deploy}"
    )
    return Finding("throttled", text, cure, function=name)


def running(facts: Facts, passage: Passage) -> Finding | None:
    """The function works on it now."""
    record = passage.running
    if record is None:
        return None
    timeout = f" (its timeout is {passage.state.settings.timeout} s)" if passage.state else ""
    text = f"{passage.function} has been working on it since {clock(record.at)}{timeout}."
    cure = facts.question.command("why")
    return Finding("running", text, f"Wait, then {cure}", function=passage.function)


def failing(facts: Facts, passage: Passage) -> Finding | None:
    """The function failed on it and is to try again."""
    retry, last = passage.retry(facts.history.busy), passage.last
    if not passage.in_batch or (last is None and retry is None):
        return None
    then = f"; attempt {retry['attempt']} is at {_time(retry['next'])}" if retry else ""
    if last is None or not last.failed:
        reason = retry["reason"] if retry else ""
        text = f"{passage.function} can't be reached: {reason}{then}."
        return Finding("not-reached", text, "./dev.py status", function=passage.function)
    failed = [one for one in passage.attempts if one.failed]
    text = (
        f"{passage.function} failed on it {attempts_text(len(failed))}, last with "
        f"{failure_text(last)}{then}."
    )
    cure = f"Mend it, then {facts.question.deploy}: the batch is tried again at once"
    return Finding("failing", text, cure, function=passage.function)


def blocked(facts: Facts, passage: Passage) -> Finding | None:
    """It waits behind a batch that fails: records of a shard keep their order."""
    retry = passage.retry(facts.history.busy)
    if retry is None or passage.in_batch:
        return None
    count = int(retry["count"])
    first = facts.history.failed.get((passage.function, str(retry["first"])))
    what = record_text(first) if first else f"sequence number {retry['first']}"
    if not count:
        what = "the end of a tumbling window"
    elif count > 1:
        what = f"{what} and {count - 1} more"
    text = (
        f"It waits behind a failing batch ({what}), as records stay in order: attempt "
        f"{retry['attempt']} of that is at {_time(retry['next'])}; it failed with "
        f"{_reason(first, retry)}."
    )
    cure = (
        f"Mend {passage.function}, then {facts.question.deploy}: the batch is tried again at once; "
        "or let it be given up, with maximum-retry-attempts"
    )
    return Finding("blocked", text, cure, function=passage.function)


def behind_work(facts: Facts, passage: Passage) -> Finding | None:
    """It waits for the batch before it, which the function works on now."""
    lane = passage.lane
    if lane is None or lane["batch"] is None or passage.in_batch:
        return None
    batch = lane["batch"]
    text = (
        f"It waits while {passage.function} works on the batch before it "
        f"({batch['count']} {'record' if batch['count'] == 1 else 'records'}); "
        f"{lane['waiting']} wait."
    )
    again = facts.question.command("why")
    return Finding("behind-work", text, f"Wait, then {again}", function=passage.function)


def window_open(facts: Facts, passage: Passage) -> Finding | None:
    """The batch is not full, and its batching window has not passed."""
    lane, mapping = passage.lane, passage.mapping
    if lane is None or mapping is None or not lane["waiting"] or lane["due"] is None:
        return None
    size, seconds = mapping.settings.batch_size, mapping.settings.maximum_batching_window
    text = (
        f"It waits for its batch to fill: {lane['waiting']} of up to {size} records are gathered, "
        f"and the batching window of {seconds} s is open until {_time(lane['due'])}."
    )
    cure = (
        "Wait, or set a shorter maximum-batching-window in pipelines.toml, then "
        f"{facts.question.deploy}"
    )
    return Finding("window-open", text, cure, function=passage.function)


def _reason(first: Processed | None, retry: Mapping[str, Any]) -> str:
    return failure_text(first) if first and first.failure else str(retry["reason"])


def _invocations(facts: Facts, function: str) -> list[str]:
    """The function's invocations that have not ended, for people."""
    begun = {
        one.request_id: f"invocation {one.request_id} since {clock(one.at)}"
        for one in facts.history.busy
        if one.function == function
    }
    return list(begun.values())


def _time(iso: Any) -> str:
    return clock(datetime.fromisoformat(str(iso))) if iso else "once"


#: In this order.
DELAY_CHECKS: tuple[Callable[[Facts, Passage], Finding | None], ...] = (
    running,
    chaos,
    throttled,
    failing,
    blocked,
    behind_work,
    window_open,
)
