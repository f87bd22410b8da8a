"""A mapping's shards on their way: each is read into a flow of its own once its turn has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streamdev.plugins.mapping.chaos import ChaoticInvoker
from streamdev.plugins.mapping.flow import Flow
from streamdev.plugins.mapping.giveup import GivenUp
from streamdev.plugins.mapping.invoker import Invoker
from streamdev.plugins.mapping.lane import Lane
from streamdev.plugins.mapping.loop_watch import LoopWatch
from streamdev.plugins.mapping.positions import Position, Positions
from streamdev.plugins.mapping.report import Report
from streamdev.plugins.mapping.stream import Stream, TrimmedError
from streamdev.semantics.filters import Filters
from streamdev.semantics.log import now
from streamdev.semantics.settings import MappingSettings

LOG = logging.getLogger(__name__)


class Reader:
    """Begins a flow for each shard, reads into it while it has room, and ends it.

    Args:
        stream: The event source.
        positions: Where the mapping stands in each shard.
        settings: The mapping's parameters.
        filters: Its filters.
        invoker: Calls its function.
        given_up: Takes what it gives up.
        loops: Makes what watches a shard for loops.
        report: Where to tell.
        nudge: Wakes who calls ``read``.
    """

    def __init__(
        self,
        stream: Stream,
        positions: Positions,
        *,
        settings: MappingSettings,
        filters: Filters,
        invoker: Invoker,
        given_up: GivenUp,
        loops: Callable[[str], LoopWatch],
        report: Report,
        nudge: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._positions = positions
        self._settings = settings
        self._filters = filters
        self._invoker = invoker
        self._given_up = given_up
        self._loops = loops
        self._report = report
        self._nudge = nudge
        self._flows: dict[str, Flow] = {}

    @property
    def lanes(self) -> list[Lane]:
        """All lanes of all shards being read."""
        return [lane for flow in list(self._flows.values()) for lane in flow.lanes]

    @property
    def backlog(self) -> int:
        """Records read and not done."""
        return sum(flow.backlog for flow in list(self._flows.values()))

    def find_start(self) -> None:
        """``LATEST`` means from now on: write down where now is before the API answers."""
        if self._positions or self._settings.starting_position != "LATEST":
            return
        for shard in self._stream.shards(fresh=True):
            if shard.closed:
                self._positions.set(shard.id, Position(closed=True))
            else:
                self._positions.set(shard.id, Position(self._stream.end_of(shard)))

    def read(self) -> bool:
        """Read a page of each shard; tell whether there was anything to do.

        Raises:
            StreamGoneError: The stream is gone, with its table.
            DynamoDbApiError: DynamoDB Local refuses to be read.
            DynamoDbUnavailableError: It does not answer.
        """
        self._begin()
        progress = [self._read_page(flow) for flow in list(self._flows.values())]
        return any(progress)

    def end(self) -> None:
        """End all flows, after what is in flight; ``read`` begins anew where they stood."""
        for lane in self.lanes:
            lane.stop()
        for flow in list(self._flows.values()):
            self._end_flow(flow)

    def _begin(self) -> None:
        """Begin with each shard whose parent is done."""
        if not self._flows:
            self.find_start()
        shards = self._stream.shards()
        known = {shard.id for shard in shards}
        for gone in self._positions.all().keys() - known:
            self._positions.drop_shard(gone)
        for shard in shards:
            if shard.id in self._flows or self._is_done(shard.id):
                continue
            if shard.parent is not None and not self._is_done(shard.parent):
                continue
            loops = self._loops(shard.id)
            flow = Flow(shard, self._positions, self._filters, self._report, loops, self._nudge)
            # A window's state belongs to the shard, so its batches come one after the other.
            windowed = self._settings.tumbling_window > 0
            count = 1 if windowed else self._settings.parallelization
            lanes = tuple(
                Lane(
                    flow,
                    self._settings,
                    self._stream.arn,
                    ChaoticInvoker(self._invoker, self._report, lane, windowed=windowed),
                    self._given_up,
                    self._report,
                )
                for lane in range(count)
            )
            flow.begin(lanes, self._settings.batch_size)
            self._flows[shard.id] = flow
            for lane in lanes:
                lane.start()

    def _is_done(self, shard: str) -> bool:
        position = self._positions.get(shard)
        return position is not None and position.closed

    def _read_page(self, flow: Flow) -> bool:
        """Read one page of a shard; tell whether there was anything to do."""
        if flow.ended:
            if not flow.drained:
                return False
            flow.close()
            self._end_flow(flow)
            self._stream.shards(fresh=True)
            return True
        if broken := [lane for lane in flow.lanes if lane.broken]:
            uuid = self._report.uuid
            LOG.warning("%d lanes of mapping %s broke; it begins anew", len(broken), uuid)
            self._end_flow(flow)
            return True
        if not flow.has_room():
            return False
        began, began_at = time.monotonic(), now()
        try:
            page = self._stream.read(flow.shard.id, flow.read_to)
        except TrimmedError:
            self._report.trimmed(flow.shard.id, flow.read_to)
            flow.read_to = None
            page = self._stream.read(flow.shard.id, None)
        if page.records:
            flow.accept(page.records)
        else:
            flow.reached_end(began, began_at)
            if page.ended:
                flow.end()
        return bool(page.records) or page.ended

    def _end_flow(self, flow: Flow) -> None:
        for lane in flow.lanes:
            lane.stop()
        for lane in flow.lanes:
            lane.join()
        if self._flows.pop(flow.shard.id, None) is not None:
            flow.loops.close()
