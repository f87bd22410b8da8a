"""All event source mappings of DynamoDB streams that run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamdev.plugins.dynamodb.changes import Writes
from streamdev.plugins.dynamodb.client import DynamoDbClient
from streamdev.plugins.mapping.batches import FailedBatches
from streamdev.plugins.mapping.destinations import Destinations
from streamdev.plugins.mapping.giveup import GivenUp
from streamdev.plugins.mapping.invoker import Invoker
from streamdev.plugins.mapping.loop_watch import LoopWatch
from streamdev.plugins.mapping.positions import Positions
from streamdev.plugins.mapping.quiet_writer import QuietWriter
from streamdev.plugins.mapping.report import Report
from streamdev.plugins.mapping.stream import Stream
from streamdev.plugins.mapping.worker import MappingWorker
from streamdev.semantics.filters import compile_filters
from streamdev.semantics.settings import MappingSettings

LOG = logging.getLogger(__name__)


class Mappings:
    """Makes, finds and ends the workers.

    Args:
        client: DynamoDB Local.
        writes: Where to hear of writes.
        wait: Waits until DynamoDB Local answers, after it was killed.
        state_dir: Where positions and failed batches are kept; ``None``: in memory only.
    """

    def __init__(
        self,
        client: DynamoDbClient,
        writes: Writes,
        wait: Callable[[], None],
        state_dir: Path | None,
    ) -> None:
        self.provider: Any = None
        self._client = client
        self._writes = writes
        self._positions_dir = state_dir / "positions" if state_dir else None
        self.batches = FailedBatches(state_dir / "batches" if state_dir else None)
        self.quiet = QuietWriter(client, writes, wait, state_dir / "quiet" if state_dir else None)
        self._destinations = Destinations(self.batches)
        self._lock = threading.Lock()
        self._streams: dict[str, Stream] = {}
        self._workers: dict[str, MappingWorker] = {}

    def resume(self) -> None:
        """Go on with what an earlier run of the engine left."""
        self.quiet.resume()
        self._destinations.resume()

    def worker_for(self, configuration: dict[str, Any], *, enabled: bool) -> MappingWorker:
        """The worker for a mapping, new or updated; it is not started.

        Args:
            configuration: The mapping, as LocalStack's store holds it.
            enabled: Whether it is to run.
        """
        settings = MappingSettings.from_configuration(configuration)
        arn: str = configuration["EventSourceArn"]
        function_arn: str = configuration["FunctionArn"]
        with self._lock:
            predecessor = self._workers.get(configuration["UUID"])
            stream = self._stream(arn)
            invoker = Invoker(
                lambda: self.provider.lambda_service,
                function_arn,
                mapping=configuration["UUID"],
                table=stream.table,
                report_failures=settings.report_failures,
                guard=self._writes.guard,
            )
            report = Report(configuration, invoker.function, stream.table)
            if predecessor is not None:
                configuration["LastModified"] = datetime.now(UTC)
                report.take_over(predecessor.report)
            if predecessor is not None and predecessor.function_arn == function_arn:
                positions = predecessor.positions
            else:
                positions = Positions(self._positions_dir, arn, function_arn)
            given_up = GivenUp(
                self.batches,
                self._destinations,
                report,
                function_arn=function_arn,
                stream_arn=arn,
                on_failure=settings.on_failure,
            )
            table = (stream.account, stream.region, stream.table)

            def loops(shard: str) -> LoopWatch:
                return LoopWatch(self._writes.guard, table, function_arn, shard, given_up, report)

            worker = MappingWorker(
                configuration,
                settings=settings,
                filters=compile_filters(configuration.get("FilterCriteria")),
                stream=stream,
                positions=positions,
                invoker=invoker,
                given_up=given_up,
                loops=loops,
                report=report,
                enabled=enabled,
                predecessor=predecessor,
                on_end=self._ended,
            )
            self._workers[worker.uuid] = worker
            return worker

    def all(self) -> list[MappingWorker]:
        """The current worker of each mapping."""
        with self._lock:
            return list(self._workers.values())

    def find(self, uuid: str) -> MappingWorker | None:
        """The worker of one mapping."""
        return self._workers.get(uuid)

    def function_changed(self, arn: str) -> None:
        """A function (its unqualified ARN) got new code or configuration: retry at once."""
        for worker in self.all():
            if worker.function_arn == arn or worker.function_arn.startswith(f"{arn}:"):
                worker.retry_now()

    def stop(self, timeout: float) -> None:
        """End all workers after what is in flight, within ``timeout`` seconds altogether."""
        deadline = time.monotonic() + timeout
        workers = self.all()
        for worker in workers:
            worker.stop_for_shutdown()
        for worker in workers:
            if not worker.join(max(0.0, deadline - time.monotonic())):
                LOG.warning(
                    "mapping %s did not end in time; its batch will be repeated", worker.uuid
                )
        self._destinations.stop()

    def _stream(self, arn: str) -> Stream:
        stream = self._streams.get(arn)
        if stream is None:
            quiet = self.quiet.ranges(arn).hold
            stream = self._streams[arn] = Stream(self._client, arn, quiet)
            self._writes.listen(stream.account, stream.region, stream.table, stream.wake)
        return stream

    def _ended(self, worker: MappingWorker) -> None:
        with self._lock:
            if self._workers.get(worker.uuid) is worker:
                del self._workers[worker.uuid]
            used = {other.stream.arn for other in self._workers.values()}
            stream = worker.stream
            if stream.arn not in used and self._streams.get(stream.arn) is stream:
                del self._streams[stream.arn]
                self._writes.forget(stream.account, stream.region, stream.table, stream.wake)
