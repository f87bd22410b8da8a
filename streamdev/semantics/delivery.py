"""The fate of one batch: tried, tried again, split, or given up, always in order.

A state machine without threads or clocks: ``next`` says what to do, the other methods tell it
what came of it. The rules are those of AWS's pages "Using Lambda to process records from Amazon
DynamoDB streams" and "Configuring partial batch response with DynamoDB and Lambda":

* A failed batch is tried again until it succeeds, ``MaximumRetryAttempts`` retries are used up
  or its records are older than ``MaximumRecordAgeInSeconds``.
* With ``BisectBatchOnFunctionError`` a failed batch is split in two; that uses up no attempt.
* With ``ReportBatchItemFailures`` the records before the lowest failed one are done; with both,
  the split is there.
* Throttles and other errors where the batch does not reach the function use up no attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from streamdev.semantics.records import Record
from streamdev.semantics.retry import backoff
from streamdev.semantics.settings import MappingSettings

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
AGE_EXCEEDED = "RecordAgeExceeded"
LOOP_DETECTED = "RecursiveInvocationDetected"  # ours: AWS detects none for DynamoDB

Records = tuple[Record, ...]


@dataclass(frozen=True)
class Work:
    """Records that are handed over together.

    Attributes:
        records: In order; none only for a window's final invocation.
        failures: How often they failed, splits not counted.
        invokes: How often they were handed to the function, in whatever company.
    """

    records: Records
    failures: int = 0
    invokes: int = 0


@dataclass(frozen=True)
class Invoke:
    """Hand these records to the function; ``attempt`` counts from 1."""

    records: Records
    attempt: int


@dataclass(frozen=True)
class Wait:
    """Come back at ``until`` (seconds, the clock of ``next``)."""

    until: float


@dataclass(frozen=True)
class GiveUp:
    """These records are lost to the function: store and report them. They count as done."""

    records: Records
    condition: str
    invokes: int


@dataclass(frozen=True)
class Finished:
    """Every record of the batch is done."""


@dataclass(frozen=True)
class Retry:
    """What a failure led to: the records done, and either a split or a wait.

    Attributes:
        done: Records that are done now (before a checkpoint).
        left: Records of the first part that is tried next.
        right: Records of the second part, after a split; else none.
        wait: Seconds until the next try.
        attempt: The next attempt's number.
        last: Whether no retry follows: the records will be given up.
    """

    done: Records
    left: Records
    right: Records
    wait: float
    attempt: int
    last: bool


class Delivery:
    """Delivers one batch.

    Args:
        records: The batch, in order. None at all is a window's final invocation.
        settings: The mapping's parameters.
    """

    def __init__(self, records: Records, settings: MappingSettings) -> None:
        self._settings = settings
        self._todo: list[Work] = [Work(records)]
        self._not_before = 0.0
        self._in_a_row = 0

    def next(self, now: float) -> Invoke | Wait | GiveUp | Finished:
        """What to do at ``now`` (seconds since the epoch)."""
        if not self._todo:
            return Finished()
        work = self._todo[-1]
        if expired := self._expired(work.records, now):
            left = work.records[len(expired) :]
            self._replace(*([replace(work, records=left)] if left else []))
            return GiveUp(expired, AGE_EXCEEDED, work.invokes)
        if self._used_up(work):
            self._replace()
            self._in_a_row = 0
            self._not_before = 0.0
            return GiveUp(work.records, RETRIES_EXHAUSTED, work.invokes)
        if now < self._not_before:
            return Wait(min(self._not_before, self._expiry(work.records)))
        return Invoke(work.records, work.invokes + 1)

    def succeeded(self) -> Records:
        """The function handled what ``next`` handed over; the records are done."""
        work = self._todo.pop()
        self._reset()
        return work.records

    def failed(self, now: float) -> Retry:
        """The function failed on all that ``next`` handed over."""
        work = self._todo[-1]
        work = replace(work, invokes=work.invokes + 1)
        half = len(work.records) // 2
        if self._settings.bisect and half:
            left = replace(work, records=work.records[:half])
            right = replace(work, records=work.records[half:])
            self._replace(right, left)
            self._not_before = now
            return Retry((), left.records, right.records, 0.0, left.invokes + 1, last=False)
        return self._again((), replace(work, failures=work.failures + 1), now)

    def failed_from(self, checkpoint: str, now: float) -> Retry:
        """The function handled the records before ``checkpoint`` (one of the batch)."""
        work = self._todo[-1]
        index = next(i for i, record in enumerate(work.records) if record.sequence == checkpoint)
        if index == 0:
            return self.failed(now)
        done, rest = work.records[:index], work.records[index:]
        left = replace(work, records=rest, invokes=work.invokes + 1)
        if self._settings.bisect:
            self._replace(left)
            self._not_before = now
            return Retry(done, rest, (), 0.0, left.invokes + 1, last=False)
        return self._again(done, replace(left, failures=left.failures + 1), now)

    def not_reached(self, now: float) -> float:
        """The function was not reached (throttled, missing): wait, and use up no attempt.

        Returns:
            Seconds until the next try.
        """
        self._in_a_row += 1
        wait = backoff(self._in_a_row)
        self._not_before = now + wait
        return wait

    def retry_now(self) -> None:
        """Cut a wait short: the function was changed."""
        self._not_before = 0.0

    @property
    def unfinished(self) -> Records:
        """All records that are not done, in order."""
        return tuple(record for work in reversed(self._todo) for record in work.records)

    def _again(self, done: Records, work: Work, now: float) -> Retry:
        self._replace(work)
        self._in_a_row += 1
        last = self._used_up(work)
        wait = 0.0 if last else backoff(self._in_a_row)
        self._not_before = now + wait
        return Retry(done, work.records, (), wait, work.invokes + 1, last=last)

    def _used_up(self, work: Work) -> bool:
        limit = self._settings.max_retries
        return limit >= 0 and work.failures > limit

    def _expired(self, records: Records, now: float) -> Records:
        if self._settings.max_age < 0:
            return ()
        count = 0
        while count < len(records) and now - records[count].created >= self._settings.max_age:
            count += 1
        return records[:count]

    def _expiry(self, records: Records) -> float:
        if self._settings.max_age < 0 or not records:
            return float("inf")
        return records[0].created + self._settings.max_age

    def _replace(self, *works: Work) -> None:
        self._todo[-1:] = works

    def _reset(self) -> None:
        self._in_a_row = 0
        self._not_before = 0.0
