"""The event a function is invoked with, as bytes, from records that are bytes already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from streamdev.semantics.records import Record


def build_payload(records: Sequence[Record], extra: Mapping[str, Any] | None = None) -> bytes:
    """``{"Records": [...]}`` as JSON.

    Args:
        records: The batch, in order.
        extra: Further members of the event (a tumbling window's).
    """
    body = b'{"Records":[' + b",".join([record.body for record in records]) + b"]"
    if extra:
        fields = json.dumps(extra, ensure_ascii=False, separators=(",", ":"))
        body += b"," + fields[1:-1].encode("utf-8", "surrogatepass")
    return body + b"}"
