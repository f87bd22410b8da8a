"""What a mapping did besides handing records to its function, and what the engine did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

_Event: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Notice:
    """What a mapping did with a whole batch, or what became of the engine.

    Attributes:
        at: When.
        kind: One of `KINDS`: the log's event without its prefix.
        function: The function's name, or ``None`` where it concerns none.
        text: The notice for people, one line.
        serious: Records were or may be lost.
        fields: The event as logged.
    """

    at: datetime
    kind: str
    function: str | None
    text: str
    serious: bool
    fields: Mapping[str, Any]

    @property
    def told(self) -> bool:
        """Whether it is told among the records without being asked for."""
        return self.serious or self.kind == "chaos"


def notices(event: _Event) -> Iterator[Notice]:
    """The notice of a logged event, if it is one for people."""
    kind = str(event["event"]).rpartition(".")[2]
    words = _WORDS.get(str(event["event"]))
    # A long list goes on in further lines, which tell nothing new.
    if words is not None and not event.get("part"):
        text, serious = words(event)
        yield Notice(time_of(event), kind, event.get("function"), text, serious, event)


def _retry(event: _Event) -> tuple[str, bool]:
    wait_s = (event.get("wait_ms") or 0) / 1000
    reason = f": {event['reason']}" if event.get("reason") else ""
    return f"tries the batch again in {wait_s:g} s (attempt {event.get('attempt')}){reason}", False


def _bisect(event: _Event) -> tuple[str, bool]:
    return (
        f"splits the batch of {event.get('count')} into {event.get('left')} and "
        f"{event.get('right')}",
        False,
    )


def _discarded(event: _Event) -> tuple[str, bool]:
    kept = f"; kept whole in batches/{event['batch']}" if event.get("batch") else ""
    records = "1 record" if event.get("count") == 1 else f"{event.get('count')} records"
    return f"gives up {records}: {event.get('reason')}{kept}", True


def _destination(event: _Event) -> tuple[str, bool]:
    if event.get("ok"):
        return f"told the failure destination {event.get('arn')}", False
    return f"could not reach the failure destination {event.get('arn')}: {event.get('error')}", True


def _state(event: _Event) -> tuple[str, bool]:
    reason = f": {event['reason']}" if event.get("reason") else ""
    return f"the mapping is {event.get('state')}{reason}", False


def _ready(_event: _Event) -> tuple[str, bool]:
    return "the engine is ready", False


def _trimmed(_event: _Event) -> tuple[str, bool]:
    return "missed records: they are older than 24 hours and gone from the stream", True


def _loop(event: _Event) -> tuple[str, bool]:
    return (
        f"stopped a loop: {event.get('function')} was invoked {event.get('rounds')} times by its "
        f"own writes, the last one to {event.get('table')}; a filter such as "
        f"{event.get('filter')} would break it",
        True,
    )


def _chaos(event: _Event) -> tuple[str, bool]:
    return f"chaos: {chaos_words(event)}", False


def chaos_words(event: _Event) -> str:
    """What chaos did, as logged by ``mapping.chaos``, without saying that it was chaos."""
    records = "1 record" if event.get("count") == 1 else f"{event.get('count')} records"
    attempt = f"attempt {event.get('attempt')}"
    match event.get("deed"):
        case "begin":
            return f"begins, seed {event.get('seed')}"
        case "end":
            deeds = event.get("deeds") or {}
            return f"ends: {', '.join(f'{n} {deed}' for deed, n in deeds.items()) or 'did nothing'}"
        case "fail":
            return f"{attempt} at {records} failed, the function was not run"
        case "throttle":
            return f"{attempt} at {records} throttled, the function was not run"
        case "delay":
            return f"{records} held back for {(event.get('wait_ms') or 0) / 1000:g} s"
        case "duplicate":
            return f"{records} handed over once more"
        case "reorder":
            return f"{records} overtake {event.get('overtaken')}"
        case "split":
            return f"{records} cut into {event.get('left')} and {event.get('right')}"
    return str(event.get("deed"))


def _runtime(event: _Event) -> tuple[str, bool]:
    return f"runs on {event.get('runs')}, not on {event.get('runtime')}", False


_WORDS: dict[str, Callable[[_Event], tuple[str, bool]]] = {
    "mapping.retry": _retry,
    "mapping.bisect": _bisect,
    "mapping.discarded": _discarded,
    "mapping.destination": _destination,
    "mapping.state": _state,
    "mapping.trimmed": _trimmed,
    "mapping.loop": _loop,
    "mapping.chaos": _chaos,
    "runtime.differs": _runtime,
    "engine.ready": _ready,
}

#: What a notice can be about.
KINDS = tuple(name.rpartition(".")[2] for name in _WORDS)


def time_of(event: _Event) -> datetime:
    """When a logged event happened."""
    return datetime.fromisoformat(event["at"])
