"""What is known of one item: from the engine's log, and from the engine as it is now."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from streamdev.aws.functions import FunctionState
from streamdev.aws.mappings import MappingState
from streamdev.aws.tables import TableState
from streamdev.observe.names import Names
from streamdev.observe.records import LoggedItem, Processed
from streamdev.observe.render import key_text
from streamdev.semantics.items import Item, shorthand

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline


@dataclass(frozen=True)
class StreamRecord:
    """A record of the item in the table's stream.

    Attributes:
        shard: Its shard; ``None`` where only the log knows the record any more.
        created: When it was written, rounded down to the minute (by DynamoDB Local).
        expired: Whether it is a deletion by time to live.
    """

    sequence_number: str
    event_id: str | None
    event_name: str
    keys: LoggedItem
    old: LoggedItem | None
    new: LoggedItem | None
    shard: str | None = None
    created: datetime | None = None
    expired: bool = False

    @property
    def number(self) -> int:
        """The sequence number, to compare by."""
        return int(self.sequence_number)


@dataclass(frozen=True)
class Question:
    """What is asked about.

    Attributes:
        table: The table's name.
        key: The item's key.
        pipeline: The pipeline the table was found by; ``None`` when it was named itself.
        names: What the project calls things.
        redact: Attributes whose values are not shown.
        since: Only writes from then on; ``None``: the last ones.
        selector: The options that named the table, for commands that are proposed.
    """

    table: str
    key: Item
    pipeline: Pipeline | None = None
    names: Names = field(default_factory=Names)
    redact: Collection[str] = ()
    since: datetime | None = None
    selector: str = ""

    @property
    def item(self) -> str:
        """The item for people: its key and the table."""
        return f"{key_text(self.names.key(self.table, self.key))} in {self.table}"

    def command(self, name: str, *more: str) -> str:
        """A command about the item: its key, the options that name the table, and ``more``."""
        values = [next(iter(value.values())) for value in self.key.values()]
        bare = not any("=" in value or value.startswith("-") for value in values)
        words = shlex.join(values if bare else shorthand(self.key))
        return " ".join(word for word in ("./dev.py", name, words, self.selector, *more) if word)

    def masked(self, record: StreamRecord) -> StreamRecord:
        """The record without the values that are not to be shown."""

        def shown(image: LoggedItem | None) -> LoggedItem | None:
            if image is None:
                return None
            hidden = {"redacted": True}
            return {n: hidden if n in self.redact else value for n, value in image.items()}

        return replace(record, old=shown(record.old), new=shown(record.new))

    @property
    def deploy(self) -> str:
        """The command that brings the pipeline about."""
        return f"./dev.py deploy {self.pipeline.name}" if self.pipeline else "./dev.py deploy"


@dataclass(frozen=True)
class LoggedWrite:
    """A call that wrote the item.

    Attributes:
        began: When the call came in.
        at: When it was answered.
        invocation: The request id of the invocation that made it, where one did.
    """

    began: datetime
    at: datetime
    table: str
    operation: str
    key: LoggedItem
    request_id: str | None
    invocation: str | None


@dataclass(frozen=True)
class Received:
    """Records that a mapping read: all of the table's between two sequence numbers.

    Attributes:
        caught_up_at: What was written before had been read before; ``None``: not known.
    """

    at: datetime
    mapping: str
    function: str
    shard: str
    first: str
    last: str
    caught_up_at: datetime | None

    def has(self, sequence_number: str) -> bool:
        """Whether the record was among them."""
        return int(self.first) <= int(sequence_number) <= int(self.last)


@dataclass(frozen=True)
class GivenUp:
    """A batch of the table's records that a mapping gave up.

    Attributes:
        reason: AWS's condition, e.g. ``RetryAttemptsExhausted``.
        batch: The stored batch's name.
        event_ids: Those of its records; a long batch is told in several parts.
    """

    at: datetime
    function: str
    reason: str
    count: int
    batch: str | None
    event_ids: frozenset[str]


@dataclass(frozen=True)
class Loop:
    """A record that was not delivered, as its function had caused it too often."""

    at: datetime
    function: str
    sequence_number: str
    rounds: int
    filter: str


@dataclass(frozen=True)
class Chaos:
    """What ``dev.py chaos`` did to a batch of the table's records.

    Attributes:
        deed: One of ``semantics.chaos.DEEDS``.
        text: The same in words.
        until: When a batch that is held back goes on.
    """

    at: datetime
    function: str
    deed: str
    text: str
    until: datetime | None
    event_ids: frozenset[str]


@dataclass(frozen=True)
class Quiet:
    """Records of the table that no function is told of: all between two sequence numbers.

    Attributes:
        after: They begin after this number; ``last`` is the last of them.
        source: Where they come from: a snapshot's file.
    """

    at: datetime
    after: str
    last: str
    source: str

    def has(self, record: StreamRecord) -> bool:
        """Whether the record is among them; what time to live deletes never is."""
        return int(self.after) < record.number <= int(self.last) and not record.expired


@dataclass
class History:
    """What the engine's log tells of the item.

    Attributes:
        begins: When the log begins; ``None``: there is none to read.
        writes: The calls that wrote the item, oldest first.
        elsewhere: The last write of an item with the same key to each other table.
        other_keys: Keys of other items that were written to the table, the newest last.
        unkeyed: How many PartiQL statements wrote to the table: which items, is not told.
        received: What mappings read from the table's stream.
        processed: What became of the item's records, by ended invocations and filters.
        running: The item's records whose invocation has not ended.
        busy: All invocations that have not ended, a record each.
        given_up: Batches that were given up.
        chaos: What chaos did.
        quiet: What was written to the table without telling functions.
        wrote_back: What invocations with the item's records wrote, by request id.
        failed: The first record of each batch that failed, by function and sequence number.
    """

    begins: datetime | None = None
    writes: list[LoggedWrite] = field(default_factory=list)
    elsewhere: dict[str, LoggedWrite] = field(default_factory=dict)
    other_keys: list[LoggedItem] = field(default_factory=list)
    unkeyed: int = 0
    received: list[Received] = field(default_factory=list)
    processed: list[Processed] = field(default_factory=list)
    running: list[Processed] = field(default_factory=list)
    busy: list[Processed] = field(default_factory=list)
    given_up: list[GivenUp] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    chaos: list[Chaos] = field(default_factory=list)
    quiet: list[Quiet] = field(default_factory=list)
    wrote_back: dict[str, list[LoggedWrite]] = field(default_factory=dict)
    failed: dict[tuple[str, str], Processed] = field(default_factory=dict)


@dataclass(frozen=True)
class Live:
    """The engine as it is now.

    Attributes:
        at: When that was.
        has_plugins: Whether streamdev's plugins run inside.
        table: The table, ``None`` where there is none.
        stream_began: When its stream was switched on.
        exists: Whether the item is in the table.
        records: The item's records in the stream, oldest first.
        unread: The stream was too long to be read whole: older records were not looked at.
        mappings: The mappings of the table's stream (also of older ones), and all others of the
            pipeline's function.
        statuses: What the plugins tell of each mapping, by UUID.
        functions: The functions of those mappings and of the pipeline.
        stored: The names of the batches that were given up and are stored.
    """

    at: datetime
    has_plugins: bool
    table: TableState | None = None
    stream_began: datetime | None = None
    exists: bool = False
    records: tuple[StreamRecord, ...] = ()
    unread: bool = False
    mappings: tuple[MappingState, ...] = ()
    statuses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    functions: Mapping[str, FunctionState | None] = field(default_factory=dict)
    stored: frozenset[str] = frozenset()
