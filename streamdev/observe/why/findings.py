"""What a check says: one sentence, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from streamdev.observe.records import Processed
from streamdev.observe.render import key_text

# What the runtime reports when the handler could not be loaded.
_INIT_ERRORS = (
    "Runtime.ImportModuleError",
    "Runtime.UserCodeSyntaxError",
    "Runtime.HandlerNotFound",
    "Runtime.MalformedHandlerName",
    "Runtime.InvalidEntrypoint",
)


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: The check's name, e.g. ``mapping-disabled``.
        text: One sentence.
        cure: A command to run, or what to change before it; ``None`` where nothing is wrong.
        ok: All is as it should be: the change was handled, filtered out, or was none.
        function: The function it is about, if it is about one.
    """

    check: str
    text: str
    cure: str | None = None
    ok: bool = False
    function: str | None = None


def clock(moment: datetime) -> str:
    """A time on this machine's clock."""
    return f"{moment.astimezone():%H:%M:%S}"


def attempts_text(count: int) -> str:
    """``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def failure_text(record: Processed) -> str:
    """What an attempt failed with, in a clause."""
    failure = record.failure
    if failure is None:
        return record.outcome
    message = " ".join(failure.message.split())
    return f"{failure.type}: {message}" if message else failure.type


def record_text(record: Processed) -> str:
    """A record for people: its kind and its key."""
    return f"{record.event_name} {key_text(record.keys)}"


def failed_to_load(record: Processed) -> bool:
    """Whether the handler's module failed to load, so that the handler was not called.

    The runtime names the kinds of its own; an exception of the module's is told by its place:
    the outermost frame of the function's code is the module's own.
    """
    failure = record.failure
    if failure is None:
        return False
    if failure.type in _INIT_ERRORS:
        return True
    frames = [line for line in failure.trace if "/var/task/" in line]
    return bool(frames) and frames[0].rstrip().endswith("in <module>")
