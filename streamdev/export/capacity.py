"""What AWS would do with so many writes a second: estimates, each by a formula of an AWS page.

They hold for a steady load that is spread over many items. A hot item is handled by one
invocation at a time, whatever the numbers here.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from importlib.resources import files

from streamdev.config.models import Pipeline

# AWS, "Designing partition keys": a partition takes so many write units a second. AWS,
# "Change data capture for DynamoDB Streams": a partition's changes are a shard.
WRITE_UNITS_A_PARTITION = 1000
# AWS, "Using Lambda with DynamoDB": how often each shard is polled.
POLLS_A_SECOND = 4
# AWS, "Lambda quotas": an invocation's payload. Records are JSON in it.
MAX_PAYLOAD_KB = 6 * 1024
# AWS, "DynamoDB Streams": records are kept for a day.
RETENTION_S = 24 * 3600
# AWS, "AWS Pricing Calculator" (its assumptions): 730 hours in a month.
SECONDS_A_MONTH = 730 * 3600
# AWS, "Lambda quotas": concurrent executions of an account at first.
ACCOUNT_CONCURRENCY = 1000


@dataclass(frozen=True)
class Load:
    """What is asked about.

    Attributes:
        writes: Changes of items a second.
        item_kb: Size of an item, KB.
        record_ms: What the handler takes for one record, milliseconds.
        shards: Open shards; ``None``: the fewest that can take the writes.
    """

    writes: float
    item_kb: float
    record_ms: float
    shards: int | None = None


@dataclass(frozen=True)
class Prices:
    """Prices in US dollars, and when and where they were so."""

    as_of: str
    region: str
    gb_second: float
    million_requests: float
    million_write_units: float


@dataclass(frozen=True)
class Capacity:
    """What to expect.

    Attributes:
        shards: Open shards, and thus polled at a time.
        write_units: DynamoDB's write units a second.
        limit: The most invocations at a time. AWS, "Polling and batching streams": shards times
            the parallelization factor; no more than are reserved.
        concurrency: Invocations at a time, on average; over ``limit`` it falls behind.
        batch: Records in an invocation, on average.
        invocations: A second.
        iterator_age_s: Seconds from a write until its batch is sent to the function, at most and
            while it keeps up. AWS, "Types of metrics for Lambda functions": what the metric
            IteratorAge tells of a batch's last record.
        lost_after_s: Seconds until the first records are too old; ``None``: it keeps up.
        cost: Dollars a month, by what they are for.
    """

    shards: int
    write_units: float
    limit: int
    concurrency: float
    batch: float
    invocations: float
    iterator_age_s: float
    lost_after_s: float | None
    cost: dict[str, float]


def load_prices() -> Prices:
    """The prices that come with streamdev (``prices.toml``)."""
    text = (files("streamdev.export") / "prices.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    return Prices(
        as_of=found["as-of"],
        region=found["region"],
        gb_second=found["lambda-gb-second"],
        million_requests=found["lambda-million-requests"],
        million_write_units=found["dynamodb-million-write-units"],
    )


def estimate(pipeline: Pipeline, load: Load, prices: Prices) -> Capacity:
    """What AWS does with ``load`` on the pipeline."""
    mapping, function = pipeline.mapping, pipeline.function
    units = write_units(load.writes, load.item_kb)
    shards = load.shards or shards_for(units)
    limit = shards * mapping.parallelization_factor
    if function.reserved_concurrency is not None:
        limit = min(limit, function.reserved_concurrency)
    record_s = load.record_ms / 1000
    busy = concurrency(load.writes, record_s)
    handled = load.writes if busy <= limit else limit / record_s
    # AWS, "Polling and batching streams": in a lane, records gather until its batch is full or its
    # window is over, at least until the next poll.
    lane = load.writes / max(limit, 1)
    largest = min(mapping.batch_size, payload_records(pipeline, load.item_kb))
    waiting_s = max(1 / POLLS_A_SECOND, min(mapping.maximum_batching_window, largest / lane))
    gathered = max(1.0, lane * waiting_s)
    batch = float(largest) if busy > limit else min(float(largest), gathered)
    invocations = handled / batch
    return Capacity(
        shards=shards,
        write_units=units,
        limit=limit,
        concurrency=busy,
        batch=batch,
        invocations=invocations,
        # Those that came just before it may be handled first.
        iterator_age_s=waiting_s + gathered * record_s,
        lost_after_s=None if busy <= limit else _kept_s(pipeline) / (1 - handled / load.writes),
        cost={
            "DynamoDB writes": write_cost(units * SECONDS_A_MONTH, prices),
            **lambda_cost(
                invocations * SECONDS_A_MONTH, batch * record_s, function.memory_size, prices
            ),
        },
    )


def _kept_s(pipeline: Pipeline) -> int:
    """How old a record may be: the stream's limit, or the mapping's MaximumRecordAgeInSeconds."""
    age = pipeline.mapping.maximum_record_age
    return min(RETENTION_S, age) if age > 0 else RETENTION_S


def write_units(writes: float, item_kb: float) -> float:
    """Write units a second (AWS, "DynamoDB read and write operations": one for each KB begun)."""
    return writes * math.ceil(item_kb)


def write_cost(units: float, prices: Prices) -> float:
    """AWS, "Pricing for On-Demand Capacity" (DynamoDB): by write request unit."""
    return units / 1e6 * prices.million_write_units


def shards_for(units: float) -> int:
    """The fewest partitions, and so shards, that take so many write units a second."""
    return max(1, math.ceil(units / WRITE_UNITS_A_PARTITION))


def concurrency(requests: float, seconds: float) -> float:
    """AWS, "Understanding Lambda function scaling": requests a second times their duration."""
    return requests * seconds


def payload_records(pipeline: Pipeline, item_kb: float) -> int:
    """How many records fit into an invocation, both images counted where the stream has them."""
    images = {"NEW_AND_OLD_IMAGES": 2, "KEYS_ONLY": 0}.get(pipeline.table.stream, 1)
    # Around the images a record has about half a KB.
    return max(1, int(MAX_PAYLOAD_KB / (images * item_kb + 0.5)))


def lambda_cost(
    requests: float, seconds: float, memory_mb: int, prices: Prices
) -> dict[str, float]:
    """AWS, "AWS Lambda Pricing": by request, and by the gigabytes and seconds they take."""
    return {
        "Lambda requests": requests / 1e6 * prices.million_requests,
        "Lambda compute": requests * seconds * memory_mb / 1024 * prices.gb_second,
    }
