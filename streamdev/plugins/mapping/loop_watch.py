"""Loops as one mapping sees them: its function's own writes come back to it as records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from streamdev.plugins.loops import LoopGuard, TableId
from streamdev.plugins.mapping.giveup import GivenUp
from streamdev.plugins.mapping.report import Report
from streamdev.semantics.cascades import (
    FROM_OUTSIDE,
    Chain,
    breaking_filter,
    item_text,
    longer,
    shortest,
)
from streamdev.semantics.delivery import LOOP_DETECTED, GiveUp
from streamdev.semantics.records import TTL_IDENTITY, Record


class LoopWatch:
    """Looks at the records of one shard for one mapping.

    Args:
        guard: Knows who writes.
        table: The table's account, region and name.
        function: The mapping's function, as chains name it.
        shard: The shard.
        given_up: Takes the records that are not delivered.
        report: Where to tell.
    """

    def __init__(
        self,
        guard: LoopGuard,
        table: TableId,
        function: str,
        shard: str,
        given_up: GivenUp,
        report: Report,
    ) -> None:
        self._guard = guard
        self._writes = guard.table(table)
        self._function = function
        self._shard = shard
        self._given_up = given_up
        self._report = report
        self._reader = self._writes.add_reader()
        self._chains: dict[str, Chain] = {}

    def reached_end(self, began: float) -> None:
        """A read that began at ``began`` (monotonic seconds) found nothing more."""
        self._reader.read_to_end = began

    def close(self) -> None:
        """The shard is read no more."""
        self._writes.remove_reader(self._reader)

    def allowed(self, records: list[Record]) -> list[Record]:
        """Those of ``records`` that may be delivered; the others are stored and told of."""
        if self._guard.limit is None or not self._writes.tracked:
            return records  # no function has written to the table
        return [record for record in records if self._allows(record, self._guard.limit)]

    def _allows(self, record: Record, limit: int) -> bool:
        event: Mapping[str, Any] = record.event
        if event.get("userIdentity") == TTL_IDENTITY:
            return True
        item = item_text(event["dynamodb"]["Keys"])
        chain = self._writes.chain_of(self._reader, item, record.sequence)
        rounds = chain.get(self._function, 0)
        if rounds < limit:
            if chain:
                self._chains[record.sequence] = chain
            return True
        self._report.loop(record, rounds, breaking_filter(event["eventName"]))
        self._given_up.take(self._shard, GiveUp((record,), LOOP_DETECTED, 0), None, None)
        self._report.count(failed=1)
        return False

    def chain_for(self, records: Iterable[Record]) -> Chain:
        """The causes of what an invocation with ``records`` will write."""
        chains = self._chains
        if not chains:
            return longer(FROM_OUTSIDE, self._function)
        causes = shortest(chains.get(record.sequence, FROM_OUTSIDE) for record in records)
        return longer(causes, self._function)

    def done(self, records: Iterable[Record]) -> None:
        """Forget records that are done."""
        if self._chains:
            for record in records:
                self._chains.pop(record.sequence, None)
