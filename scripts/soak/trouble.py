"""What happens to the mappings while they work: kills, updates, throttling, new code."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import psutil
from botocore.exceptions import ClientError

from scripts.soak.pipeline import Pipeline, Soaked

# AWS refuses a change on the heels of another.
_BUSY = ("ResourceInUseException", "ResourceConflictException")


class Trouble:
    """Makes trouble every second or two, and puts all right at the end.

    Args:
        pipelines: To trouble.
        seed: Of its chance.
        stop: When to end.
    """

    def __init__(self, pipelines: list[Pipeline], seed: int, stop: threading.Event) -> None:
        self.counts: Counter[str] = Counter()
        self._pipelines = pipelines
        self._chance = random.Random(f"trouble/{seed}")
        self._stop = stop
        self._kinds: list[tuple[Callable[[Pipeline, Soaked], None], int]] = [
            (self._kill_handler, 5),
            (self._change_batch_size, 3),
            (self._turn_off_and_on, 1),
            (self._throttle, 1),
            (self._change_function, 2),
        ]

    def run(self) -> None:
        """Make trouble until it is time to stop; then leave everything enabled."""
        makers, weights = zip(*self._kinds, strict=True)
        while not self._stop.wait(self._chance.uniform(0.5, 2.5)):
            pipeline = self._chance.choice(self._pipelines)
            function = self._chance.choice(pipeline.functions)
            make = self._chance.choices(makers, weights)[0]
            try:
                make(pipeline, function)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _BUSY:
                    raise
                self.counts["changes refused, one being under way"] += 1
        for pipeline in self._pipelines:
            for function in pipeline.functions:
                pipeline.lambda_.delete_function_concurrency(FunctionName=function.name)
                self._set_enabled(pipeline, function, enabled=True)

    def _kill_handler(self, pipeline: Pipeline, function: Soaked) -> None:
        notes = pipeline.folder / f"{function.name}.jsonl"
        if not notes.exists():
            return
        last = [line for line in notes.read_text().splitlines()[-20:] if line.endswith("}")]
        pid = json.loads(self._chance.choice(last))["pid"] if last else 0
        try:
            process = psutil.Process(pid)
            if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == function.name:
                process.kill()
                self.counts["handlers killed"] += 1
        except psutil.NoSuchProcess:
            return

    def _change_batch_size(self, pipeline: Pipeline, function: Soaked) -> None:
        size = self._chance.choice([1, 3, 10, 50, 500])
        pipeline.lambda_.update_event_source_mapping(UUID=function.mapping, BatchSize=size)
        self.counts["mappings updated"] += 1

    def _turn_off_and_on(self, pipeline: Pipeline, function: Soaked) -> None:
        self._set_enabled(pipeline, function, enabled=False)
        self._stop.wait(self._chance.uniform(0, 2))
        self._set_enabled(pipeline, function, enabled=True)
        self.counts["mappings turned off and on"] += 1

    def _throttle(self, pipeline: Pipeline, function: Soaked) -> None:
        pipeline.lambda_.put_function_concurrency(
            FunctionName=function.name, ReservedConcurrentExecutions=0
        )
        self._stop.wait(self._chance.uniform(0, 2))
        pipeline.lambda_.delete_function_concurrency(FunctionName=function.name)
        self.counts["functions throttled"] += 1

    def _change_function(self, pipeline: Pipeline, function: Soaked) -> None:
        pipeline.lambda_.update_function_configuration(
            FunctionName=function.name, Description=f"change {self.counts['functions changed']}"
        )
        self.counts["functions changed"] += 1

    def _set_enabled(self, pipeline: Pipeline, function: Soaked, *, enabled: bool) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                pipeline.lambda_.update_event_source_mapping(UUID=function.mapping, Enabled=enabled)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return
