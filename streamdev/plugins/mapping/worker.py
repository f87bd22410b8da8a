"""One event source mapping at work: its states, and the thread that has its stream read.

Takes the place of LocalStack's ``EsmWorker``: the provider makes one for each mapping and a new
one for each update, and calls ``create``, ``stop``, ``delete`` and ``stop_for_shutdown``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from streamdev.plugins.dynamodb.client import DynamoDbApiError, DynamoDbUnavailableError
from streamdev.plugins.mapping.giveup import GivenUp
from streamdev.plugins.mapping.invoker import Invoker
from streamdev.plugins.mapping.lane import Lane
from streamdev.plugins.mapping.loop_watch import LoopWatch
from streamdev.plugins.mapping.positions import Positions
from streamdev.plugins.mapping.reader import Reader
from streamdev.plugins.mapping.report import STREAM_GONE, USER_ACTION, Report
from streamdev.plugins.mapping.stream import Stream, StreamGoneError
from streamdev.semantics.filters import Filters
from streamdev.semantics.settings import MappingSettings

LOG = logging.getLogger(__name__)

# A reader looks by itself this often, for writes that came from nobody's call.
LOOK_AGAIN = 10.0
AFTER_TROUBLE = 1.0


class MappingWorker:
    """Has the records of one mapping read, filtered and delivered while it is enabled.

    Args:
        configuration: The mapping, as LocalStack's store holds it.
        settings: Its parameters, checked.
        filters: Its filters, compiled.
        stream: The event source.
        positions: Where it stands.
        invoker: Calls its function.
        given_up: Takes what it gives up.
        loops: Makes what watches a shard for loops.
        report: Where it tells.
        enabled: Whether it is to run.
        predecessor: The worker of the same mapping before an update, or ``None``.
        on_end: Called when the worker has ended.
    """

    def __init__(
        self,
        configuration: dict[str, Any],
        *,
        settings: MappingSettings,
        filters: Filters,
        stream: Stream,
        positions: Positions,
        invoker: Invoker,
        given_up: GivenUp,
        loops: Callable[[str], LoopWatch],
        report: Report,
        enabled: bool,
        predecessor: MappingWorker | None,
        on_end: Callable[[MappingWorker], None],
    ) -> None:
        self.uuid: str = configuration["UUID"]
        self.enabled = enabled
        self.stream = stream
        self.positions = positions
        self.report = report
        self.current_state = "Creating"
        self.state_transition_reason = USER_ACTION
        self.function_arn: str = configuration["FunctionArn"]
        self._reader = Reader(
            stream,
            positions,
            settings=settings,
            filters=filters,
            invoker=invoker,
            given_up=given_up,
            loops=loops,
            report=report,
            nudge=self.nudge,
        )
        self._predecessor = predecessor
        self._on_end = on_end
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._deleting = False
        self._thread: threading.Thread | None = None

    def create(self) -> None:
        """Begin, or stand by when the mapping is disabled."""
        if self._predecessor is not None:
            self._show("Updating" if self.enabled else "Disabling")
        else:
            self._show("Creating" if self.enabled else "Disabled")
            if self.enabled:
                self._try_find_start()
        self._thread = threading.Thread(
            target=self._run, name=f"streamdev-mapping-{self.report.function}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """An update replaces this worker: end after what is in flight."""
        self._end()

    def delete(self) -> None:
        """The mapping was deleted: end after what is in flight and forget the position."""
        self._deleting = True
        self._show("Deleting")
        self._end()

    def stop_for_shutdown(self) -> None:
        """The engine stops: end after what is in flight and keep the position."""
        if not self._stopping.is_set():
            self.report.tell_state("Stopping", "The engine stops.")
        self._end()

    def nudge(self) -> None:
        """There may be something to read, or room to read it into."""
        self._wake.set()

    def retry_now(self) -> None:
        """The function was changed: don't wait before the next retry."""
        for lane in self.lanes:
            lane.retry_now()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the worker has ended; tell whether it has."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def lanes(self) -> list[Lane]:
        """All lanes of all shards being read."""
        return self._reader.lanes

    @property
    def backlog(self) -> int:
        """Records read and not done."""
        return self._reader.backlog

    def _end(self) -> None:
        self._stopping.set()
        self._wake.set()

    def _show(self, state: str) -> None:
        self.current_state = state
        self.report.state(state, self.state_transition_reason)

    def _try_find_start(self) -> None:
        try:
            self._reader.find_start()
        except (StreamGoneError, DynamoDbApiError, DynamoDbUnavailableError) as error:
            LOG.warning("no position in %s yet: %s", self.stream.arn, error)

    def _run(self) -> None:
        if self._predecessor is not None:
            self._predecessor.join()
            if self._predecessor.positions is not self.positions:
                self.positions.take_over(self._predecessor.positions)
            self._predecessor = None
            if not self._stopping.is_set():
                if self.enabled:
                    self._try_find_start()
                else:
                    self._show("Disabled")
        if self.enabled and not self._stopping.is_set():
            self._show("Enabled")
            self.stream.subscribe(self.nudge)
            try:
                self._read_until_stopped()
            finally:
                self.stream.unsubscribe(self.nudge)
                self._reader.end()
        else:
            self._stopping.wait()
        if self._deleting:
            self.positions.drop()
            self.report.remove()
        else:
            self.positions.close()
        self._on_end(self)

    def _read_until_stopped(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            wait = LOOK_AGAIN
            try:
                if self._reader.read():
                    continue
            except StreamGoneError as error:
                LOG.debug("%s: %s", self.stream.arn, error)
                self.report.result(STREAM_GONE)
            except (DynamoDbApiError, DynamoDbUnavailableError) as error:
                LOG.warning("%s can't be read: %s", self.stream.arn, error)
                wait = AFTER_TROUBLE
            except Exception:
                # A mapping that stopped without a word would be worse than one that goes on.
                LOG.exception("trouble with mapping %s; it begins anew", self.uuid)
                self._reader.end()
                wait = AFTER_TROUBLE
            if not self._stopping.is_set():
                self._wake.wait(wait)
