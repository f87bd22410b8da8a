"""One lane of a shard: gathers batches and delivers them, one after the other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from streamdev.plugins.mapping.chaos import ChaoticInvoker
from streamdev.plugins.mapping.flow import Flow
from streamdev.plugins.mapping.giveup import GivenUp
from streamdev.plugins.mapping.invoker import Answer, NotReachedError
from streamdev.plugins.mapping.report import CALL_FAILED, OK, Report
from streamdev.plugins.mapping.retries import Retries, span
from streamdev.semantics.batching import Batcher
from streamdev.semantics.delivery import Delivery, Finished, GiveUp, Invoke, Wait
from streamdev.semantics.outcome import error_in_words
from streamdev.semantics.payload import build_payload
from streamdev.semantics.records import Record
from streamdev.semantics.responses import BatchResult, read_response
from streamdev.semantics.settings import MappingSettings
from streamdev.semantics.windows import Window, split_by_window

LOG = logging.getLogger(__name__)

Records = tuple[Record, ...]


class Lane:
    """A thread that delivers batches of one shard.

    Args:
        flow: The shard.
        settings: The mapping's parameters.
        stream_arn: The event source.
        invoker: Calls the function.
        given_up: Takes what is given up.
        report: Where to tell.
    """

    def __init__(
        self,
        flow: Flow,
        settings: MappingSettings,
        stream_arn: str,
        invoker: ChaoticInvoker,
        given_up: GivenUp,
        report: Report,
    ) -> None:
        self._flow = flow
        self._settings = settings
        self._stream_arn = stream_arn
        self._invoker = invoker
        self._given_up = given_up
        self._report = report
        self._batcher = Batcher(settings.batch_size, settings.batching_window)
        self._changed = threading.Condition()
        self._retries = Retries(report)
        self._delivery: Delivery | None = None
        self.broken = False
        self._stopping = False
        self._flushing = False
        self._hurry = False
        self._thread = threading.Thread(
            target=self._run, name=f"streamdev-lane-{report.function}", daemon=True
        )

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def add(self, records: Sequence[Record]) -> None:
        """Take records, in order."""
        if records:
            with self._changed:
                self._batcher.add(records, time.time())
                self._changed.notify_all()

    @property
    def status(self) -> dict[str, Any]:
        """What it does: ``waiting`` records, ``due`` at, its ``batch``, and the ``retry`` it is in.

        ``batch`` is what is being delivered and not done: ``first``, ``last``, ``count``.
        """
        delivery = self._delivery
        batch = delivery.unfinished if delivery else ()
        return {
            "shard": self._flow.shard.id,
            "waiting": len(self._batcher),
            "due": self._batcher.due(),
            "batch": span(batch) if batch else None,
            "retry": self._retries.current,
        }

    @property
    def waiting_bytes(self) -> int:
        """How large the records are that wait here."""
        return self._batcher.bytes

    def flush(self) -> None:
        """No more records will come: deliver what waits without waiting for more."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()

    def retry_now(self) -> None:
        """Cut a wait before a retry short: the function was changed."""
        with self._changed:
            self._hurry = self._retries.current is not None
            self._changed.notify_all()
        self._invoker.hurry()

    def stop(self) -> None:
        """End after the invocation that runs; what is not done then stays undone."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._invoker.hurry()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; tell whether it came in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._run_until_stopped()
        except Exception:
            # The mapping's reader begins the shard anew where it stood.
            LOG.exception("a lane of mapping %s broke", self._report.uuid)
            self.broken = True
            self._flow.nudge()

    def _run_until_stopped(self) -> None:
        while (batch := self._next_batch()) is not None:
            window = self._flow.window
            if not self._settings.tumbling_window:
                self._deliver(batch, None)
            elif window is not None and (not batch or not window.holds(batch[0])):
                self._put_back(batch)
                # The window's last invocation: no records, the final state.
                self._deliver((), window, final=True)
            else:
                if window is None:
                    window = Window.of(batch[0].created, self._settings.tumbling_window)
                batch, later = split_by_window(batch, window)
                self._put_back(later)
                self._deliver(batch, window)

    def _next_batch(self) -> Records | None:
        """Wait for a batch; an empty one says that the window is over, ``None`` to stop."""
        with self._changed:
            while not self._stopping:
                now = time.time()
                until = self._batcher.due()
                if until is not None and (until <= now or self._flushing):
                    batch = self._batcher.take(max(now, until))
                    return self._invoker.shaped(batch, self._batcher, now)
                window = self._flow.window
                if window is not None:
                    closes = 0.0 if self._flushing else window.closes_at()
                    if window.too_big or closes <= now:
                        return ()
                    until = closes if until is None else min(until, closes)
                self._changed.wait(None if until is None else until - now)
            return None

    def _put_back(self, records: Records) -> None:
        if records:
            with self._changed:
                self._batcher.put_back(records, time.time())

    def _deliver(self, records: Records, window: Window | None, *, final: bool = False) -> None:
        self._delivery = delivery = Delivery(records, self._settings)
        last: Answer | None = None
        error: Any = None
        while not isinstance(step := delivery.next(time.time()), Finished):
            if self._stopping:
                return
            if isinstance(step, Wait):
                self._pause(delivery, step.until)
            elif isinstance(step, GiveUp):
                self._give_up(step, last, error)
                self._flow.done(step.records, None if final else window)
            else:
                answer, result, window = self._invoke(step, window, final=final)
                if answer is None:
                    self._report.result(CALL_FAILED)
                    wait = delivery.not_reached(time.time())
                    self._retries.not_reached(step, wait, result.reason)
                    continue
                last, error = answer, (answer.payload if result.kind == "failed" else None)
                self._conclude(delivery, answer, result, None if final else window)

    def _invoke(
        self, step: Invoke, window: Window | None, *, final: bool
    ) -> tuple[Answer | None, BatchResult, Window | None]:
        """Call the function once and judge its answer; no answer when it was not reached."""
        extra = None
        if window is not None:
            extra = window.fields(self._flow.shard.id, self._stream_arn, final=final)
        payload = build_payload(step.records, extra)
        self._report.invoked()
        try:
            chain = self._flow.loops.chain_for(step.records)
            answer = self._invoker.invoke(payload, step.records, step.attempt, chain, extra)
        except NotReachedError as error:
            return None, BatchResult("failed", reason=str(error)), window
        finally:
            self._report.returned()
        if answer.function_error:
            return answer, BatchResult("failed", reason=error_in_words(answer.payload)), window
        result = BatchResult("ok")
        if self._settings.report_failures:
            result = read_response(answer.payload, step.records)
        if window is not None and not final and result.kind != "failed":
            following = window.with_answer(answer.payload)
            if following is None:
                return answer, BatchResult("failed", reason="the answer holds no state"), window
            window = following
        return answer, result, window

    def _conclude(
        self, delivery: Delivery, answer: Answer, result: BatchResult, window: Window | None
    ) -> None:
        """Tell the delivery what came of it, check records off and say so."""
        now = time.time()
        if result.kind == "ok":
            done = delivery.succeeded()
            self._retries.over()
            # Told before the records are done: who sees no backlog sees the counts of all.
            self._report.count(handled=len(done))
            self._report.result(OK)
            self._flow.done(done, window)
            return
        self._report.result(CALL_FAILED)
        if result.kind == "partial" and result.checkpoint is not None:
            retry = delivery.failed_from(result.checkpoint, now)
        else:
            retry = delivery.failed(now)
        if retry.done:
            self._report.count(handled=len(retry.done))
            self._flow.done(retry.done, window)
        self._retries.failed(retry, answer.request_id, result)

    def _give_up(self, step: GiveUp, last: Answer | None, error: Any) -> None:
        self._retries.over()
        if step.records:
            self._given_up.take(self._flow.shard.id, step, last, error)
            self._report.count(failed=len(step.records))

    def _pause(self, delivery: Delivery, until: float) -> None:
        with self._changed:
            while not self._stopping and not self._hurry and (left := until - time.time()) > 0:
                self._changed.wait(left)
            if self._hurry:
                self._hurry = False
                delivery.retry_now()
