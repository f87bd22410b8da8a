"""The names of what is measured, shared by those who measure and those who judge."""

from __future__ import annotations

HOST = "streamdev host"
COMPOSE = "streamdev compose"
LOCALSTACK = "LocalStack's own settings"
MINISTACK = "MiniStack"
ALONE = "DynamoDB Local alone"

READY = "up until the pipeline is ready"
FIRST = "up to first record handled"
AGAIN = "up when all runs already"
REDEPLOY = "redeploy after a handler edit"
RELOAD = "watch: an edit runs after its save"
PUT = "put"
HANDLED = "write to handler"
HANDLED_P99 = "write to handler, p99"
AFTER_PUT = "write to handler less the put"
AFTER_IDLING = "write to handler after idling"
MEMORY = "memory of an idle engine"


def bulk(count: int) -> str:
    """The rate at which ``count`` items are written by batch and handled."""
    return f"{count:,} items written by batch and handled"


def idle_cpu(seconds: int) -> str:
    """What an engine without work uses of a processor's core."""
    return f"CPU of an idle engine over {seconds} s"


def memory_of(part: str) -> str:
    """The resident memory of one of an engine's parts."""
    return f"memory: {part}"
