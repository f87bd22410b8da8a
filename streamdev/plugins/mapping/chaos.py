"""Chaos between a mapping's lanes and the function, for as long as a command asks for it.

A session of chaos belongs to one function and has one owner, a command that renews it. One that is
not renewed ends by itself, so a command that was killed leaves nothing behind. Everything chaos
does is told in the log before it happens, as ``mapping.chaos``.
"""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

from streamdev.plugins import log
from streamdev.plugins.mapping.invoker import Answer, Invoker, NotReachedError
from streamdev.plugins.mapping.report import Report
from streamdev.semantics.batching import Batcher
from streamdev.semantics.cascades import Chain
from streamdev.semantics.chaos import REASON, ChaosSettings, Decisions
from streamdev.semantics.records import Record

LEASE = 15.0
"""Seconds after which a session ends that was not renewed."""

# A retry's reason is an error's type and message: `semantics.chaos.REASON` is told by it.
_ERROR = {
    "errorType": "chaos",
    "errorMessage": "failed by dev.py chaos, the function was not run",
}

Records = tuple[Record, ...]


class ChaosError(Exception):
    """Chaos can't be had; the message says why."""


class Session:
    """Chaos for one function."""

    def __init__(self, function: str, owner: str, settings: ChaosSettings) -> None:
        self.function = function
        self.owner = owner
        self.settings = settings
        self._deeds: Counter[str] = Counter()
        self._over = threading.Condition()
        self.renew()

    def renew(self) -> None:
        """Go on for the length of a lease."""
        self._until = time.monotonic() + LEASE

    @property
    def lasts(self) -> bool:
        """Whether it is not over."""
        return time.monotonic() < self._until

    def did(self, deed: str) -> None:
        """Count a deed."""
        with self._over:
            self._deeds[deed] += 1

    @property
    def deeds(self) -> dict[str, int]:
        """How often what was done."""
        with self._over:
            return dict(self._deeds)

    def end(self) -> None:
        """It is over."""
        with self._over:
            self._until = -math.inf
            self._over.notify_all()

    def wait(self) -> None:
        """Wait for its end."""
        with self._over:
            while (left := self._until - time.monotonic()) > 0:
                self._over.wait(left)


_lock = threading.Lock()
_sessions: dict[str, Session] = {}


def find(function: str) -> Session | None:
    """The session of a function, while it lasts."""
    session = _sessions.get(function)
    return session if session is not None and session.lasts else None


def open_session(function: str, owner: str, settings: ChaosSettings) -> None:
    """Begin a session, or renew the owner's.

    Raises:
        ChaosError: Somebody else's is there.
    """
    with _lock:
        session = find(function)
        if session is not None and session.owner == owner:
            session.renew()
            return
        if session is not None:
            raise ChaosError(f"There is chaos for {function} already.")
        log.emit("mapping.chaos", function=function, deed="begin", **settings.to_json())
        session = _sessions[function] = Session(function, owner, settings)
    threading.Thread(target=_watch, args=(session,), name="chaos", daemon=True).start()


def close_session(function: str, owner: str) -> dict[str, int] | None:
    """End the owner's session; how often what was done, ``None`` if it is over already."""
    with _lock:
        session = find(function)
        if session is None or session.owner != owner:
            return None
        session.end()
    return session.deeds


def _watch(session: Session) -> None:
    from streamdev.plugins.mapping import mappings

    session.wait()
    with _lock:
        if _sessions.get(session.function) is session:
            del _sessions[session.function]
    log.emit("mapping.chaos", function=session.function, deed="end", deeds=session.deeds)
    # What it made wait need not wait any longer.
    for worker in mappings().all():
        if worker.report.function == session.function:
            worker.retry_now()


class ChaoticInvoker:
    """Calls the function for one lane; while there is chaos, not always as it was meant.

    Args:
        invoker: Calls the function.
        report: Where to tell.
        lane: The lane's number in its shard.
        windowed: Whether batches belong to tumbling windows, which go by the order of records.
    """

    def __init__(self, invoker: Invoker, report: Report, lane: int, *, windowed: bool) -> None:
        self._invoker = invoker
        self._report = report
        self._lane = lane
        self._windowed = windowed
        self._session: Session | None = None
        self._decisions: Decisions | None = None
        self._hurried = threading.Event()

    def hurry(self) -> None:
        """Cut a delay short."""
        self._hurried.set()

    def shaped(self, batch: Records, batcher: Batcher, now: float) -> Records:
        """What to deliver of a batch just taken; the rest is put back."""
        decisions = self._decide()
        if decisions is None or not batch:
            return batch
        reorder, split = decisions.shape()
        if reorder and not self._windowed:
            # There may be but one record in a batch: those that wait may overtake it.
            records = batch + batcher.take(math.inf)
            early = decisions.early(records)
            first = {record.sequence for record in early}
            overtaken = tuple(record for record in records if record.sequence not in first)
            batcher.put_back(early + overtaken, now)
            batch = batcher.take(math.inf, most=len(early) if overtaken else None)
            if overtaken:
                self._tell("reorder", batch, overtaken=len(overtaken))
        if split and len(batch) > 1:
            count = decisions.cut(len(batch))
            self._tell("split", batch, left=count, right=len(batch) - count)
            batcher.put_back(batch[count:], now)
            batch = batch[:count]
        return batch

    def invoke(
        self,
        payload: bytes,
        records: Records,
        attempt: int,
        chain: Chain,
        window: Mapping[str, Any] | None,
    ) -> Answer:
        """Run the function as `Invoker` does, or make it wait, fail, or run twice.

        Raises:
            NotReachedError: It was not run.
        """
        decisions, session = self._decide(), self._session
        if decisions is None or session is None:
            return self._invoker.invoke(payload, records, attempt, chain, window)
        fate = decisions.handover()
        if fate.delay:
            seconds = decisions.settings.delay_s
            self._hurried.clear()
            self._tell("delay", records, attempt=attempt, wait_ms=round(seconds * 1000))
            self._hurried.wait(seconds if session.lasts else 0)
        if fate.throttle:
            self._tell("throttle", records, attempt=attempt)
            raise NotReachedError(f"{REASON}throttled by dev.py chaos, the function was not run")
        if fate.fail:
            self._tell("fail", records, attempt=attempt)
            return Answer(str(uuid.uuid4()), json.dumps(_ERROR).encode(), "Unhandled", "$LATEST")
        answer = self._invoker.invoke(payload, records, attempt, chain, window)
        if fate.duplicate and not answer.function_error:
            self._tell("duplicate", records, attempt=attempt)
            answer = self._invoker.invoke(payload, records, attempt, chain, window)
        return answer

    def _decide(self) -> Decisions | None:
        session = find(self._report.function)
        if session is not self._session:
            self._session = session
            self._decisions = Decisions(session.settings, self._lane) if session else None
        return self._decisions

    def _tell(self, deed: str, records: Records, **fields: Any) -> None:
        if self._session is not None:
            self._session.did(deed)
        self._report.emit(
            "mapping.chaos",
            table=self._report.table,
            deed=deed,
            count=len(records),
            event_ids=[record.event["eventID"] for record in records],
            **fields,
        )
