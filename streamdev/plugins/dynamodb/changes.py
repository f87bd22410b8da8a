"""Every successful write, known the moment it happened: readers are woken, the log is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from streamdev.plugins import invocations, log
from streamdev.plugins.dynamodb.client import (
    DynamoDbApiError,
    DynamoDbClient,
    DynamoDbUnavailableError,
    namespace_of,
)
from streamdev.plugins.dynamodb.gate import Gate
from streamdev.plugins.loops import MALFORMED, Begun, LoopGuard
from streamdev.semantics.log import now
from streamdev.semantics.writes import keys_of, writes_of

LOG = logging.getLogger(__name__)

TableId = tuple[str, str, str]
Listener = Callable[[], None]


class Writes:
    """Hands on what calls wrote.

    Args:
        client: DynamoDB Local, asked once for each table's key.
        guard: Told of writes before and after.
    """

    def __init__(self, client: DynamoDbClient, guard: LoopGuard) -> None:
        self._client = client
        self.guard = guard
        self.gate = Gate()
        self._lock = threading.Lock()
        self._listeners: dict[TableId, tuple[Listener, ...]] = {}
        self._keys: dict[TableId, tuple[str, ...]] = {}

    def listen(self, account: str, region: str, table: str, listener: Listener) -> None:
        """Have ``listener`` called after each write to a table; it must return at once."""
        with self._lock:
            table_id = (account, region, table)
            self._listeners[table_id] = (*self._listeners.get(table_id, ()), listener)

    def forget(self, account: str, region: str, table: str, listener: Listener) -> None:
        """Undo ``listen``."""
        with self._lock:
            table_id = (account, region, table)
            left = [one for one in self._listeners.get(table_id, ()) if one is not listener]
            self._listeners[table_id] = tuple(left)
            if not left:
                del self._listeners[table_id]

    def table_changed(self, account: str, region: str, table: str) -> None:
        """A table was made or deleted: its key may be another one now."""
        self._keys.pop((account, region, table), None)

    def begin(
        self,
        account: str,
        region: str,
        operation: str,
        request: Mapping[str, Any],
        trace_id: str | None,
        *,
        at_once: bool = False,
    ) -> Begun | None:
        """A call is about to write; ``end`` has to follow, whatever comes of it.

        With ``at_once`` nothing is waited for: ``None``, and nothing was begun, where that would
        be needed, at the gate or for the key of a table that was not written to yet.
        """
        if not at_once:
            self.gate.enter()
        elif not (
            self._knows_keys(account, region, operation, request) and self.gate.enter_at_once()
        ):
            return None
        key_names = self._known_key_names if at_once else self._key_names
        try:
            return self.guard.begin(account, region, operation, request, trace_id, key_names)
        except BaseException:
            self.gate.leave()
            raise

    def end(self, begun: Begun) -> None:
        """The call was answered, or failed; ``begun`` is what ``begin`` gave."""
        self.guard.end(begun)
        self.gate.leave()

    def happened(
        self,
        account: str,
        region: str,
        operation: str,
        request: Mapping[str, Any],
        answer: Mapping[str, Any],
        request_id: str,
        trace_id: str | None,
        began: str,
        *,
        at_once: bool = False,
    ) -> None:
        """Wake the readers of the written tables, then log one ``write`` event per table.

        The event's ``began`` is when the call came in (as the log writes times), its ``at`` when
        it was answered: before any reader was woken, so that a read which the write caused and
        which found nothing is known to be later. With ``at_once`` nothing is waited for: of a
        table that was deleted meanwhile no keys are told.
        """
        at = now()
        key_names = self._known_key_names if at_once else self._key_names
        writes = writes_of(operation, request, answer)
        for write in writes:
            for listener in self._listeners.get((account, region, write.table), ()):
                listener()
        for write in writes:
            keys = keys_of(write.items, key_names(account, region, write.table))
            log.emit(
                "write",
                at=at,
                began=began,
                table=write.table,
                operation=operation,
                keys=keys,
                request_id=request_id,
                invocation=invocations.request_of_trace(trace_id) if trace_id else None,
                trace_id=trace_id,
            )

    def _knows_keys(
        self, account: str, region: str, operation: str, request: Mapping[str, Any]
    ) -> bool:
        try:
            writes = writes_of(operation, request, {})
        except MALFORMED:
            return False
        return all((account, region, write.table) in self._keys for write in writes)

    def _known_key_names(self, account: str, region: str, table: str) -> tuple[str, ...]:
        return self._keys.get((account, region, table), ())

    def _key_names(self, account: str, region: str, table: str) -> tuple[str, ...]:
        table_id = (account, region, table)
        names = self._keys.get(table_id)
        if names is None:
            try:
                answer = self._client.call(
                    "DynamoDB_20120810.DescribeTable",
                    {"TableName": table},
                    namespace_of(account, region),
                    region,
                )
            except (DynamoDbApiError, DynamoDbUnavailableError) as error:
                LOG.debug("no key schema of %s: %s", table, error)
                return ()
            names = tuple(key["AttributeName"] for key in answer["Table"]["KeySchema"])
            self._keys[table_id] = names
        return names
