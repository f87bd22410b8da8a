"""The queue of a pipeline's dead letters: held while a command works on it, then put back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from streamdev.aws.errors import AwsError, AwsNotFoundError
from streamdev.aws.names import queue_arn
from streamdev.aws.queues import Message
from streamdev.cli.calls import MARGIN_S
from streamdev.cli.context import Context
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.observe import follow as reading
from streamdev.observe.dead_letters import DeadLetter, DeadLetters, Newest, processed
from streamdev.observe.names import Names
from streamdev.observe.render import key_text
from streamdev.semantics import values
from streamdev.semantics.outcome import judge

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline
    from streamdev.observe.records import LoggedItem, Processed

# Nobody else gets the messages for so long if this command is killed while it works.
HOLD_S = 60


@dataclass(frozen=True)
class Redriven:
    """How a replay went.

    Attributes:
        words: The same for people.
        error: The function's error in AWS's shape, where it failed with one.
    """

    ok: bool
    words: str
    warnings: tuple[str, ...] = ()
    error: Any = None

    def as_json(self) -> dict[str, Any]:
        """The result as JSON."""
        return {"detail": self.words, "warnings": list(self.warnings), "error": self.error}


@dataclass
class Queue:
    """The dead letters of one pipeline."""

    ctx: Context
    pipeline: Pipeline
    name: str
    url: str
    stored: bool
    _held: dict[str, Message] = field(default_factory=dict)
    _strange: int = 0

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Finds what the messages are about."""
        return DeadLetters(self.ctx.gateway, stored=self.stored)

    @cached_property
    def names(self) -> Names:
        """What the project calls things."""
        return Names.of_project(self.ctx.project)

    @cached_property
    def _letters(self) -> list[DeadLetter]:
        messages = self.ctx.gateway.queues.collect(self.url, hold_s=HOLD_S)
        self._held = {message.id: message for message in messages}
        found = [self.dead_letters.letter(message) for message in messages]
        self._strange = found.count(None)
        letters = [letter for letter in found if letter is not None]
        return sorted(letters, key=lambda letter: (letter.at, int(letter.first)))

    def letters(self) -> list[DeadLetter]:
        """Every dead letter, in the order they were given up."""
        return self._letters

    def select(self, ids: Iterable[str]) -> list[DeadLetter]:
        """The letters that the ids, or their beginnings, name; in the order of `letters`.

        Raises:
            NotFoundError: An id names none.
            InvalidInputError: A beginning names several.
        """
        chosen: set[str] = set()
        for name in ids:
            found = [one.message.id for one in self._letters if one.message.id.startswith(name)]
            if not found:
                raise NotFoundError(
                    f"There is no dead letter {name!r} in {self.name}.",
                    hint="See them: ./dev.py dlq ls",
                )
            if len(found) > 1:
                raise InvalidInputError(f"{name!r} is the beginning of {len(found)} ids.")
            chosen.add(found[0])
        return [letter for letter in self._letters if letter.message.id in chosen]

    def keys(self, letter: DeadLetter) -> list[LoggedItem]:
        """The keys of the letter's records, none where nothing holds them."""
        event = self.dead_letters.event(letter)
        return [record["dynamodb"]["Keys"] for record in event["Records"]] if event else []

    def keep_only(self, letters: Sequence[DeadLetter]) -> None:
        """Let others have all but these letters at once."""
        kept = {letter.message.id for letter in letters}
        self._put_back([one for one in self._held.values() if one.id not in kept])

    def redrive(self, letter: DeadLetter) -> Redriven:
        """Give the letter's records to its function; remove it if that handles them."""
        gateway = self.ctx.gateway
        event = self.dead_letters.event(letter)
        if event is None:
            return Redriven(False, self.gone(letter))
        timeout = self.pipeline.function.timeout + MARGIN_S
        try:
            gateway.queues.hold(self.url, letter.message, timeout + MARGIN_S)
        except AwsError as error:
            self._held.pop(letter.message.id, None)
            return Redriven(False, f"someone else has it by now ({error.code})")
        warnings = tuple(self._warnings(letter, event))
        payload = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
        try:
            answer = gateway.functions.invoke(letter.function_arn, payload, timeout_s=timeout)
        except AwsNotFoundError:
            return Redriven(False, f"there is no function {letter.function} any more", warnings)
        outcome = judge(
            answer.payload,
            is_error=answer.failed,
            logs="",
            report_failures=self.pipeline.mapping.report_batch_item_failures,
        )
        if outcome.kind == "ok":
            self.remove(letter)
            return Redriven(True, f"{letter.size} record(s)", warnings)
        if outcome.failure is None:
            numbers = ", ".join(outcome.failures)
            return Redriven(False, f"the function reported {numbers} as failed", warnings)
        words = f"{outcome.failure.type}: {outcome.failure.message}"
        return Redriven(False, words, warnings, json.loads(answer.payload))

    def remove(self, letter: DeadLetter) -> None:
        """Remove the message, and only then the stored records."""
        self.ctx.gateway.queues.delete(self.url, letter.message)
        self._held.pop(letter.message.id, None)
        self.dead_letters.forget(letter)

    def gone(self, letter: DeadLetter) -> str:
        """What to say where a letter's records are lost."""
        return (
            f"neither a stored batch nor the stream of {letter.table} has its records any more; "
            "the item itself may still be there"
        )

    def notes(self) -> Iterator[str]:
        """What else there is to know."""
        if self._strange:
            yield f"{self._strange} message(s) in {self.name} are no failure messages."
        untold = sum(_untold(batch, self.name) for batch in self.dead_letters.stored)
        if untold:
            yield f"{untold} batch(es) are stored, but {self.name} could not be told yet."

    def close(self) -> None:
        """Put back what was not removed."""
        self._put_back(list(self._held.values()))

    def _put_back(self, messages: Sequence[Message]) -> None:
        self.ctx.gateway.queues.release(self.url, messages)
        for message in messages:
            self._held.pop(message.id, None)

    def _warnings(self, letter: DeadLetter, event: dict[str, Any]) -> Iterator[str]:
        records = processed(letter, event)
        overtaken = self._newest.overtaken(records)
        for record in records:
            what = f"{key_text(record.keys)} in {record.table}"
            if record in overtaken:
                yield f"a newer change of {what} was already handled by {letter.function}"
            elif self._changed_since(record):
                # The log goes back to the engine's start only.
                yield f"{what} has changed since; {letter.function} may have handled that"

    def _changed_since(self, record: Processed) -> bool:
        """Whether the item is not what the record left; unknown without a new image."""
        if record.table is None or (record.new is None and record.event_name != "REMOVE"):
            return False
        key = {name: values.to_boto(value) for name, value in record.keys.items()}
        try:
            item = self.ctx.gateway.items.get(record.table, key)
        except AwsNotFoundError:
            return True
        left = record.new and {name: values.to_boto(value) for name, value in record.new.items()}
        return item != left

    @cached_property
    def _newest(self) -> Newest:
        if not self.stored:
            return Newest(())
        lines = self.ctx.engine.read_log(since=None, follow=False, stop=threading.Event())
        return Newest(reading.entries(lines))


def _untold(batch: dict[str, Any], queue: str) -> bool:
    arn = str(batch.get("destination") or "")
    return arn.rpartition(":")[2] == queue and not batch.get("delivered")


@contextmanager
def open_queue(ctx: Context, pipeline: str | None) -> Iterator[Queue]:
    """The queue that the pipeline's ``on-failure`` names; what is not removed is put back.

    Raises:
        InvalidInputError: The pipeline has no such queue.
        NotFoundError: The queue does not exist.
    """
    info = require(ctx.engine)
    found = ctx.project.pipeline(pipeline)
    failure = found.mapping.on_failure
    if failure is None or failure.sqs is None:
        what = f"tells {failure.service} {failure.name}" if failure else "names no destination"
        raise InvalidInputError(
            f"Pipeline {found.name!r} {what}; dlq reads queues.",
            hint='Add to its mapping: on-failure = { sqs = "NAME" }',
        )
    try:
        url = ctx.gateway.queues.url(failure.sqs)
    except AwsNotFoundError as error:
        stored = ctx.gateway.control.batches() if info.has_plugins else []
        untold = sum(_untold(batch, failure.sqs) for batch in stored)
        kept = f" {untold} batch(es) are stored and will be told to it." if untold else ""
        raise NotFoundError(
            f"There is no queue {queue_arn(failure.sqs, ctx.gateway.region)}.{kept}",
            hint="Make it: ./dev.py deploy",
        ) from error
    queue = Queue(ctx, found, failure.sqs, url, stored=info.has_plugins)
    try:
        yield queue
    finally:
        queue.close()
