"""What LocalStack does besides each invocation, gathered so that it costs next to nothing.

For every single invocation LocalStack starts a thread that sends a metric to CloudWatch, sends
the output to CloudWatch Logs, and starts another thread for the environment's idle timer. The
first two are requests through its own gateway, of 5 to 10 ms each. Here metrics are summed for
ten seconds and sent once CloudWatch is in use, output goes its own way
(``streamdev.plugins.cloudwatch_logs``), and one thread keeps all timers.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.services.lambda_.invocation import execution_environment, version_manager
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.cloudwatch.cloudwatch_util import publish_lambda_metric

from streamdev.plugins import cloudwatch_logs

LOG = logging.getLogger(__name__)

_METRICS_EVERY = 10.0


def install() -> None:
    """Replace LocalStack's ways; to be called once."""
    metrics = _Metrics()
    start_thread = version_manager.start_thread

    def start_thread_unless_metric(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if str(kwargs.get("name") or "").startswith("record-cloudwatch-metric"):
            return method()
        return start_thread(method, *args, **kwargs)

    version_manager.start_thread = start_thread_unless_metric
    version_manager.record_cw_metric_invocation = metrics.invoked
    version_manager.record_cw_metric_error = metrics.failed
    execution_environment.Timer = SharedTimer
    cloudwatch_logs.install()


class _Metrics:
    """Counts invocations and errors; a thread that lasts sends what came together."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def invoked(self, function_name: str, account_id: str, region_name: str) -> None:
        self._count(("Invocations", function_name, account_id, region_name))

    def failed(self, function_name: str, account_id: str, region_name: str) -> None:
        self.invoked(function_name, account_id, region_name)
        self._count(("Errors", function_name, account_id, region_name))

    def _count(self, key: tuple[str, str, str, str]) -> None:
        with self._changed:
            self._counts[key] += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="lambda-metrics", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._counts))
            time.sleep(_METRICS_EVERY)
            if not SERVICE_PLUGINS.is_running("cloudwatch"):
                # Nobody has asked it for anything: loading it would only slow down others.
                continue
            with self._changed:
                counts, self._counts = self._counts, Counter()
            for (metric, function, account, region), count in counts.items():
                try:
                    publish_lambda_metric(
                        metric,
                        count,
                        {"func_name": function},
                        account_id=account,
                        region_name=region,
                    )
                except (ClientError, BotoCoreError) as error:
                    LOG.debug("CloudWatch took no %s of %s: %s", metric, function, error)


class SharedTimer:
    """``threading.Timer`` as LocalStack uses it, but all share one thread that waits.

    A timer that runs out gets a thread of its own, as its work may take long.
    """

    _lock = threading.Condition()
    _heap: list[tuple[float, int, SharedTimer]] = []  # noqa: RUF012 - shared on purpose
    _numbers = itertools.count()
    _thread: threading.Thread | None = None

    def __init__(self, interval: float, function: Callable[..., Any]) -> None:
        self._interval = interval
        self._function = function
        self._waiting = False

    def start(self) -> None:
        """Begin to wait."""
        cls = SharedTimer
        with cls._lock:
            self._waiting = True
            due = time.monotonic() + self._interval
            first = not cls._heap or due < cls._heap[0][0]
            heapq.heappush(cls._heap, (due, next(cls._numbers), self))
            if len(cls._heap) > 1_000:
                self._forget_cancelled()
            if cls._thread is None:
                cls._thread = threading.Thread(target=cls._run, name="lambda-timers", daemon=True)
                cls._thread.start()
            elif first:
                cls._lock.notify()

    def cancel(self) -> None:
        """Stop waiting; nothing if it ran out or was not started."""
        self._waiting = False

    @classmethod
    def _forget_cancelled(cls) -> None:
        waiting = [entry for entry in cls._heap if entry[2]._waiting]
        if len(waiting) * 2 < len(cls._heap):
            heapq.heapify(waiting)
            cls._heap[:] = waiting

    @classmethod
    def _run(cls) -> None:
        while True:
            with cls._lock:
                while cls._heap and not cls._heap[0][2]._waiting:
                    heapq.heappop(cls._heap)
                if not cls._heap:
                    cls._lock.wait()
                    continue
                left = cls._heap[0][0] - time.monotonic()
                if left > 0:
                    cls._lock.wait(left)
                    continue
                timer = heapq.heappop(cls._heap)[2]
            if timer._waiting:
                timer._waiting = False
                threading.Thread(target=timer._function, daemon=True).start()
