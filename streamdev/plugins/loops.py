"""The guard against loops: who caused a write, and how often a function caused its own records.

A handler's calls carry the trace header of its invocation (the AWS SDKs see to that); what a
mapping knows of the records of that invocation tells the rest. ``semantics.cascades`` has the
rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from streamdev.semantics.cascades import (
    FROM_OUTSIDE,
    Chain,
    TableWrites,
    TrackedWrite,
    item_text,
)
from streamdev.semantics.writes import Write, keys_of, writes_of

TableId = tuple[str, str, str]
KeyNames = Callable[[str, str, str], tuple[str, ...]]
Begun = tuple[tuple[TableWrites, TrackedWrite], ...]
# What parsing of a call that DynamoDB will refuse may raise.
MALFORMED = (KeyError, TypeError, AttributeError, ValueError)


class LoopGuard:
    """Knows the writes under way and the invocations that make them.

    Args:
        limit: How often a function may be invoked in a chain; ``None`` looks at nothing.
        request_of_trace: The request id of the invocation a trace header is from.
    """

    def __init__(self, limit: int | None, request_of_trace: Callable[[str], str | None]) -> None:
        self.limit = limit
        self._request_of_trace = request_of_trace
        self._tables: dict[TableId, TableWrites] = {}
        self._invocations: dict[str, Chain] = {}

    def begin(
        self,
        account: str,
        region: str,
        operation: str,
        request: Mapping[str, Any],
        trace_id: str | None,
        key_names: KeyNames,
    ) -> Begun:
        """A call is about to write; give what comes back to ``end``.

        Args:
            account: The caller's account.
            region: The caller's region.
            operation: DynamoDB's operation.
            request: Its parameters, DynamoDB JSON, not yet checked by anybody.
            trace_id: The call's trace header.
            key_names: Gives the names of a table's key attributes.
        """
        if self.limit is None:
            return ()
        try:
            writes = writes_of(operation, request, {})
        except MALFORMED:
            return ()  # it will be refused, and writes nothing
        chain = self._chain_of_call(trace_id)
        begun = []
        for write in writes:
            table = self.table((account, region, write.table))
            items = partial(_items, write, key_names, account, region)
            begun.append((table, table.begin(chain, items)))
        return tuple(begun)

    def end(self, begun: Begun) -> None:
        """The call was answered, or failed."""
        if begun:
            now = time.monotonic()
            for table, write in begun:
                table.end(write, now)

    def table(self, table: TableId) -> TableWrites:
        """The writes to one table."""
        found = self._tables.get(table)
        return found if found is not None else self._tables.setdefault(table, TableWrites())

    def invoked(self, request_id: str, chain: Chain) -> None:
        """An invocation begins; its writes have ``chain`` as their causes."""
        self._invocations[request_id] = chain

    def returned(self, request_id: str) -> None:
        """It ended."""
        self._invocations.pop(request_id, None)

    def _chain_of_call(self, trace_id: str | None) -> Chain:
        if not trace_id or not self._invocations:
            return FROM_OUTSIDE
        request_id = self._request_of_trace(trace_id)
        return self._invocations.get(request_id or "", FROM_OUTSIDE)


def _items(write: Write, key_names: KeyNames, account: str, region: str) -> Iterable[str] | None:
    names = key_names(account, region, write.table)
    if not write.items or not names:
        return None
    try:
        return [item_text(key) for key in keys_of(write.items, names)]
    except MALFORMED:
        return None
