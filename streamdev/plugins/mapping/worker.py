"""One event source mapping at work: reads its stream and feeds the lanes.

Takes the place of LocalStack's ``EsmWorker``: the provider makes one for each mapping and a new
one for each update, and calls ``create``, ``stop``, ``delete`` and ``stop_for_shutdown``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from streamdev.plugins.dynamodb.client import DynamoDbApiError, DynamoDbUnavailableError
from streamdev.plugins.mapping.chaos import ChaoticInvoker
from streamdev.plugins.mapping.flow import Flow
from streamdev.plugins.mapping.giveup import GivenUp
from streamdev.plugins.mapping.invoker import Invoker
from streamdev.plugins.mapping.lane import Lane
from streamdev.plugins.mapping.loop_watch import LoopWatch
from streamdev.plugins.mapping.positions import Position, Positions
from streamdev.plugins.mapping.report import STREAM_GONE, USER_ACTION, Report
from streamdev.plugins.mapping.stream import Stream, StreamGoneError, TrimmedError
from streamdev.semantics.filters import Filters
from streamdev.semantics.log import now
from streamdev.semantics.settings import MappingSettings

LOG = logging.getLogger(__name__)

# A reader looks by itself this often, for writes that came from nobody's call.
LOOK_AGAIN = 10.0
AFTER_TROUBLE = 1.0


class MappingWorker:
    """Reads, filters and delivers the records of one mapping.

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
        self.flows: dict[str, Flow] = {}
        self._settings = settings
        self._filters = filters
        self._invoker = invoker
        self._given_up = given_up
        self._loops = loops
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
        return [lane for flow in list(self.flows.values()) for lane in flow.lanes]

    @property
    def backlog(self) -> int:
        """Records read and not done."""
        return sum(flow.backlog for flow in list(self.flows.values()))

    def _end(self) -> None:
        self._stopping.set()
        self._wake.set()

    def _show(self, state: str) -> None:
        self.current_state = state
        self.report.state(state, self.state_transition_reason)

    def _try_find_start(self) -> None:
        try:
            self._find_start()
        except (StreamGoneError, DynamoDbApiError, DynamoDbUnavailableError) as error:
            LOG.warning("no position in %s yet: %s", self.stream.arn, error)

    def _find_start(self) -> None:
        """``LATEST`` means from now on: write down where now is before the API answers."""
        if self.positions or self._settings.starting_position != "LATEST":
            return
        for shard in self.stream.shards(fresh=True):
            if shard.closed:
                self.positions.set(shard.id, Position(closed=True))
            else:
                self.positions.set(shard.id, Position(self.stream.end_of(shard)))

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
                self._end_flows()
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
                self._begin_flows()
                progress = [self._read(flow) for flow in list(self.flows.values())]
                if any(progress):
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
                self._end_flows()
                wait = AFTER_TROUBLE
            if not self._stopping.is_set():
                self._wake.wait(wait)

    def _begin_flows(self) -> None:
        """Begin with each shard whose parent is done."""
        if not self.flows:
            self._find_start()
        shards = self.stream.shards()
        known = {shard.id for shard in shards}
        for gone in self.positions.all().keys() - known:
            self.positions.drop_shard(gone)
        for shard in shards:
            if shard.id in self.flows or self._is_done(shard.id):
                continue
            if shard.parent is not None and not self._is_done(shard.parent):
                continue
            loops = self._loops(shard.id)
            flow = Flow(shard, self.positions, self._filters, self.report, loops, self.nudge)
            # A window's state belongs to the shard, so its batches come one after the other.
            windowed = self._settings.tumbling_window > 0
            count = 1 if windowed else self._settings.parallelization
            lanes = tuple(
                Lane(
                    flow,
                    self._settings,
                    self.stream.arn,
                    ChaoticInvoker(self._invoker, self.report, lane, windowed=windowed),
                    self._given_up,
                    self.report,
                )
                for lane in range(count)
            )
            flow.begin(lanes, self._settings.batch_size)
            self.flows[shard.id] = flow
            for lane in lanes:
                lane.start()

    def _is_done(self, shard: str) -> bool:
        position = self.positions.get(shard)
        return position is not None and position.closed

    def _read(self, flow: Flow) -> bool:
        """Read one page of a shard; tell whether there was anything to do."""
        if flow.ended:
            if flow.drained:
                flow.close()
                self._end_flow(flow)
                self.stream.shards(fresh=True)
            return flow.drained
        if broken := [lane for lane in flow.lanes if lane.broken]:
            LOG.warning("%d lanes of mapping %s broke; it begins anew", len(broken), self.uuid)
            self._end_flow(flow)
            return True
        if not flow.has_room():
            return False
        began, began_at = time.monotonic(), now()
        try:
            page = self.stream.read(flow.shard.id, flow.read_to)
        except TrimmedError:
            self.report.trimmed(flow.shard.id, flow.read_to)
            flow.read_to = None
            page = self.stream.read(flow.shard.id, None)
        if page.records:
            flow.accept(page.records)
        else:
            flow.reached_end(began, began_at)
            if page.ended:
                flow.end()
        return bool(page.records) or page.ended

    def _end_flows(self) -> None:
        for lane in self.lanes:
            lane.stop()
        for flow in list(self.flows.values()):
            self._end_flow(flow)

    def _end_flow(self, flow: Flow) -> None:
        for lane in flow.lanes:
            lane.stop()
        for lane in flow.lanes:
            lane.join()
        if self.flows.pop(flow.shard.id, None) is not None:
            flow.loops.close()
