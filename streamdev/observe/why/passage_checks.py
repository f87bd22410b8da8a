"""Checks of one change on its way to one function: what became of it, or what is in its way.

Each is given what is known and the passage, and says nothing unless it applies. The wording and
the mechanisms follow AWS's pages "Using AWS Lambda with Amazon DynamoDB" and "Troubleshooting
event source mapping issues in Lambda".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from streamdev.aws.names import table_of_stream
from streamdev.observe.why.delays import DELAY_CHECKS
from streamdev.observe.why.findings import (
    Finding,
    attempts_text,
    clock,
    failed_to_load,
    failure_text,
)
from streamdev.observe.why.story import Facts, Passage

PassageCheck: TypeAlias = Callable[[Facts, Passage], Finding | None]


def handled(_facts: Facts, passage: Passage) -> Finding | None:
    """The function handled it."""
    record = passage.handled
    if record is None:
        return None
    tries = f", in attempt {record.attempt}" if (record.attempt or 1) > 1 else ""
    text = f"{passage.function} handled the {record.event_name} at {clock(record.at)}{tries}."
    return Finding("handled", text, ok=True, function=passage.function)


def filtered_out(facts: Facts, passage: Passage) -> Finding | None:
    """The filter keeps it from the function; the clause that did it is named."""
    record = passage.filtered
    if record is None:
        return None
    text = f"The filter keeps the {record.event_name} from {passage.function}: {record.reason}."
    cure = facts.question.command("filter test")
    return Finding("filter", text, cure, ok=True, function=passage.function)


def by_snapshot(_facts: Facts, passage: Passage) -> Finding | None:
    """A snapshot brought it, and was not to fire the stream."""
    quiet = passage.quiet
    if quiet is None:
        return None
    text = (
        f"The {passage.record.event_name} came by the snapshot {quiet.source} at "
        f"{clock(quiet.at)}, which did not fire the stream, so {passage.function} is not told of "
        "it."
    )
    cure = (
        "To have functions handle what a snapshot brings: ./dev.py snapshot load NAME --replace "
        "--fire-streams"
    )
    return Finding("snapshot", text, cure, ok=True, function=passage.function)


def loop_stopped(facts: Facts, passage: Passage) -> Finding | None:
    """It was not delivered, as the function had caused it too often."""
    loop = passage.loop
    if loop is None:
        return None
    text = (
        f"A loop was stopped: {passage.function} was invoked {loop.rounds} times by its own "
        f"writes, so this one was given up."
    )
    cure = f"Add to the mapping filter-criteria = ['{loop.filter}'], then {facts.question.deploy}"
    return Finding("loop-stopped", text, cure, function=passage.function)


def given_up(facts: Facts, passage: Passage) -> Finding | None:
    """The mapping gave it up: it is a dead letter."""
    batch = passage.given_up
    if batch is None:
        return None
    tries = max((one.attempt or 0 for one in passage.attempts), default=0)
    after = f" after {tries} {'attempt' if tries == 1 else 'attempts'}" if tries else ""
    last = passage.last
    why = f": {failure_text(last)}" if last and last.failed else ""
    if last and failed_to_load(last):
        why += ", while the handler was loaded"
    if by_chaos := sum(one.deed == "fail" for one in passage.chaos):
        why += f"; ./dev.py chaos failed it {attempts_text(by_chaos)}, not the function"
    text = (
        f"The mapping of {passage.function} gave it up at {clock(batch.at)}{after} "
        f"({batch.reason}){why}."
    )
    return Finding("given-up", text, _recovery(facts, passage), function=passage.function)


def _recovery(facts: Facts, passage: Passage) -> str:
    batch, question = passage.given_up, facts.question
    queue = passage.mapping and passage.mapping.settings.destination
    if batch is None or batch.batch not in facts.live.stored:
        return question.command("update-item", "NAME=VALUE --wait")
    first = f"Mend the function, {question.deploy}"
    if passage.chaos and not any(one.failed for one in passage.attempts):
        first = "End ./dev.py chaos"
    if queue and queue.split(":")[2] == "sqs":
        selector = f" -p {question.pipeline.name}" if question.pipeline else ""
        return f"{first}, then ./dev.py dlq redrive --all{selector}"
    return f"{first}, then write the item again"


def function_missing(facts: Facts, passage: Passage) -> Finding | None:
    """There is no such function."""
    if passage.state is not None:
        return None
    text = f"There is no function {passage.function}: the record waits until there is one."
    return Finding("function-missing", text, facts.question.deploy, function=passage.function)


def mapping_missing(facts: Facts, passage: Passage) -> Finding | None:
    """Nothing leads from the table's stream to the function."""
    if passage.mapping is not None:
        return None
    own = (one.source_arn for one in facts.live.mappings if one.function == passage.function)
    others = sorted({table_of_stream(arn) or arn for arn in own})
    reads = f" (it reads {' and '.join(others)})" if others else ""
    text = (
        f"No event source mapping leads from {facts.question.table} to {passage.function}{reads}, "
        "so nothing reads the record for it."
    )
    return Finding("mapping-missing", text, facts.question.deploy, function=passage.function)


def old_stream(facts: Facts, passage: Passage) -> Finding | None:
    """The mapping reads a stream that the table had before."""
    mapping, table = passage.mapping, facts.live.table
    if mapping is None or table is None or mapping.source_arn == table.stream_arn:
        return None
    now = _label(table.stream_arn) if table.stream_arn else "off"
    text = (
        f"The mapping of {passage.function} reads the stream that {table.name} had before "
        f"({_label(mapping.source_arn)}); its stream is now {now}."
    )
    return Finding("old-stream", text, facts.question.deploy, function=passage.function)


def _label(stream_arn: str) -> str:
    return stream_arn.rpartition("/stream/")[2]


def mapping_disabled(facts: Facts, passage: Passage) -> Finding | None:
    """The mapping is switched off."""
    mapping, pipeline = passage.mapping, facts.question.pipeline
    if mapping is None or mapping.state not in ("Disabled", "Disabling"):
        return None
    text = (
        f"The mapping of {passage.function} is {mapping.state.lower()}: the record waits in the "
        "stream, for up to 24 hours."
    )
    cure = facts.question.deploy
    own = pipeline is not None and pipeline.function.name == passage.function
    if own and pipeline and not pipeline.mapping.enabled:
        cure = f"Set enabled = true in the mapping of pipelines.toml, then {cure}"
    return Finding("mapping-disabled", text, cure, function=passage.function)


def before_latest(facts: Facts, passage: Passage) -> Finding | None:
    """The mapping began with ``LATEST``, after the record."""
    mapping = passage.mapping
    if mapping is None or mapping.starting_position != "LATEST" or not passage.passed:
        return None
    if passage.received_at or passage.attempts or passage.running or _before_log(facts, passage):
        return None
    text = (
        f"The record is older than the mapping of {passage.function}, which begins at LATEST: it "
        "reads only what is written after it was made."
    )
    cure = (
        'Set starting-position = "TRIM_HORIZON" in the mapping of pipelines.toml, then '
        f"{facts.question.deploy}"
    )
    return Finding("before-latest", text, cure, function=passage.function)


def _before_log(facts: Facts, passage: Passage) -> bool:
    """Whether the record is older than the log, which then can't tell how it fared."""
    created, begins = passage.record.created, facts.history.begins
    # Records are stamped with the minute.
    return created is None or begins is None or created + timedelta(minutes=1) < begins


def not_importable(facts: Facts, passage: Passage) -> Finding | None:
    """The handler's module fails to load."""
    last = passage.last
    if last is None or passage.handled or not failed_to_load(last):
        return None
    tries = attempts_text(len(passage.attempts))
    text = (
        f"The handler of {passage.function} could not be loaded ({tries} tried): "
        f"{failure_text(last)}."
    )
    cure = f"Mend it, then {facts.question.deploy}; what it printed: ./dev.py logs --raw"
    return Finding("not-importable", text, cure, function=passage.function)


def not_told(facts: Facts, passage: Passage) -> Finding | None:
    """Nothing is in its way that could be found: what is known is said."""
    name, begins = passage.function, facts.history.begins
    if not facts.live.has_plugins:
        text = (
            f"The stream has the record and the mapping of {name} is on; what became of it is not "
            "told by an external engine."
        )
        return Finding("not-told", text, "./dev.py logs", function=name)
    if passage.passed and not passage.received_at:
        since = f", which begins at {clock(begins)}," if begins else ""
        text = (
            f"The mapping of {name} is past the record; the engine's log{since} does not tell how "
            "it went: that was before."
        )
        return Finding("before-log", text, "./dev.py dlq ls", ok=True, function=name)
    result = passage.mapping.last_result if passage.mapping else None
    text = f"The mapping of {name} has not read the record yet; its last result: {result}."
    return Finding("not-read", text, "./dev.py status", function=name)


#: In this order: what came of it, then what is in its way, the deeper reasons first.
PASSAGE_CHECKS: tuple[PassageCheck, ...] = (
    handled,
    by_snapshot,
    loop_stopped,
    given_up,
    filtered_out,
    function_missing,
    mapping_missing,
    old_stream,
    mapping_disabled,
    before_latest,
    not_importable,
    *DELAY_CHECKS,
    not_told,
)
