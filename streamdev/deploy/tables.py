"""Tables, with a stream or without: compared and brought about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamdev.aws.gateway import Gateway
from streamdev.aws.tables import Index, TableState
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.resources import TableResource
from streamdev.deploy.waiting import wait_for

DEADLINE_S = 120.0


def find(gateway: Gateway, name: str) -> TableState | None:
    """The table as it exists; one on its way out is waited for until it is gone."""
    return wait_for(
        f"Table {name}",
        lambda: gateway.tables.find(name),
        lambda state: state is None or state.status != "DELETING",
        deadline_s=DEADLINE_S,
        describe=_describe,
    )


def plan(
    desired: TableResource, existing: TableState | None, ttl: str | None, *, may_replace: bool
) -> Change:
    """What the table needs.

    Args:
        desired: As pipelines.toml declares it.
        existing: As it is.
        ttl: The attribute the existing table's items expire by.
        may_replace: Whether it may be dropped with its items where it can't be changed.
    """
    if existing is None:
        return Change(desired, Action.CREATE)
    if fixed := _fixed_differences(desired, existing):
        if may_replace:
            return Change(desired, Action.REPLACE, (*fixed, "its items are dropped"))
        return Change(
            desired,
            Action.REPLACE,
            fixed,
            obstacle="AWS can't change this in place. To drop the table with its items and make "
            "it anew: ./dev.py deploy --replace",
        )
    reasons: list[str] = []
    parts: set[str] = set()
    if existing.stream_view == desired.stream_view:
        pass
    elif existing.stream_view is None or desired.stream_view is None:
        reasons.append(f"stream {existing.stream_view or 'none'} → {desired.stream_view or 'none'}")
        parts.add("stream")
    else:
        reasons.append(f"stream {existing.stream_view} → {desired.stream_view}: a new stream")
        parts.add("stream")
    if index_reasons := _index_differences(desired, existing):
        reasons += index_reasons
        parts.add("indexes")
    if ttl != desired.ttl:
        reasons.append(f"ttl {ttl or 'none'} → {desired.ttl or 'none'}")
        parts.add("ttl")
    if not reasons:
        return Change(desired, Action.NOTHING)
    return Change(desired, Action.UPDATE, tuple(reasons), frozenset(parts))


def renews_stream(change: Change) -> bool:
    """Whether the table's stream is another one afterwards."""
    return change.action in (Action.CREATE, Action.REPLACE) or "stream" in change.parts


def _fixed_differences(desired: TableResource, existing: TableState) -> tuple[str, ...]:
    """What a table keeps from its creation on: its key and its local indexes."""
    was = _key(existing.keys, existing.attribute_types)
    wanted = _key(desired.keys, desired.attribute_types)
    reasons = [f"key {was} → {wanted}"] if was != wanted else []
    local = {index.name: index for index in desired.local_indexes}
    for name in sorted({*local, *existing.local_indexes}):
        index = existing.local_indexes.get(name)
        if name not in local or index is None:
            reasons.append(f"local index {name} {'added' if index is None else 'removed'}")
        elif not _same_index(local[name], index, desired, existing):
            reasons.append(f"local index {name} changed")
    return tuple(reasons)


def _key(keys: tuple[str, ...], types: Mapping[str, str]) -> str:
    return ", ".join(f"{name}:{types[name]}" for name in keys)


def _index_differences(desired: TableResource, existing: TableState) -> list[str]:
    wanted = {index.name: index for index in desired.indexes}
    reasons = [f"index {name} added" for name in wanted if name not in existing.indexes]
    for name, index in existing.indexes.items():
        if name not in wanted:
            reasons.append(f"index {name} removed")
        elif not _same_index(wanted[name], index, desired, existing):
            reasons.append(f"index {name} changed: made anew")
    return reasons


def _same_index(wanted: Index, index: Index, desired: TableResource, existing: TableState) -> bool:
    return replace(index, status="ACTIVE") == wanted and all(
        desired.attribute_types[key] == existing.attribute_types.get(key) for key in wanted.keys
    )


def apply(gateway: Gateway, change: Change, desired: TableResource) -> None:
    """Bring the table about and wait until it is active with its stream.

    Raises:
        DeployError: It was not active in time.
    """
    match change.action:
        case Action.CREATE:
            _create(gateway, desired)
        case Action.REPLACE:
            gateway.tables.delete(desired.name)
            find(gateway, desired.name)
            _create(gateway, desired)
        case Action.UPDATE:
            _wait(gateway, desired.name)
            if "stream" in change.parts:
                _renew_stream(gateway, desired)
            if "indexes" in change.parts:
                _update_indexes(gateway, desired)
            if "ttl" in change.parts:
                _update_ttl(gateway, desired)


def _create(gateway: Gateway, desired: TableResource) -> None:
    gateway.tables.create(
        desired.name,
        keys=desired.keys,
        attribute_types=desired.attribute_types,
        stream_view=desired.stream_view,
        indexes=desired.indexes,
        local_indexes=desired.local_indexes,
        tags=desired.tags,
    )
    _wait(gateway, desired.name, stream=desired.stream_view is not None)
    if desired.ttl is not None:
        gateway.tables.switch_ttl(desired.name, desired.ttl, enabled=True)


def _renew_stream(gateway: Gateway, desired: TableResource) -> None:
    """Turn the stream off, where it is on, and on again: its view is fixed at its start.

    A table that is to have none is left without.
    """
    if _wait(gateway, desired.name).stream_arn is not None:
        gateway.tables.switch_stream(desired.name, None)
        _wait(gateway, desired.name)
    if desired.stream_view is not None:
        gateway.tables.switch_stream(desired.name, desired.stream_view)
        _wait(gateway, desired.name, stream=True)


def _update_indexes(gateway: Gateway, desired: TableResource) -> None:
    """Remove and create indexes, one after the other as AWS wants it."""
    existing = _wait(gateway, desired.name)
    wanted = {index.name: index for index in desired.indexes}
    kept = set()
    for name, index in existing.indexes.items():
        if name in wanted and _same_index(wanted[name], index, desired, existing):
            kept.add(name)
            continue
        gateway.tables.delete_index(desired.name, name)
        _wait(gateway, desired.name)
    for name, index in wanted.items():
        if name not in kept:
            gateway.tables.create_index(desired.name, index, desired.attribute_types)
            _wait(gateway, desired.name)


def _update_ttl(gateway: Gateway, desired: TableResource) -> None:
    current = gateway.tables.ttl(desired.name)
    if current is not None:
        gateway.tables.switch_ttl(desired.name, current, enabled=False)
    if desired.ttl is not None:
        gateway.tables.switch_ttl(desired.name, desired.ttl, enabled=True)


def _wait(gateway: Gateway, name: str, *, stream: bool = False) -> TableState:
    """Wait until the table and its indexes are active and, if asked, its stream is there."""
    state = wait_for(
        f"Table {name}",
        lambda: gateway.tables.find(name),
        lambda state: (
            state is not None and state.active and not (stream and state.stream_arn is None)
        ),
        deadline_s=DEADLINE_S,
        describe=_describe,
    )
    assert state is not None
    return state


def _describe(state: TableState | None) -> str:
    if state is None:
        return "it does not exist"
    busy = [f"index {i.name} {i.status}" for i in state.indexes.values() if i.status != "ACTIVE"]
    stream = [] if state.stream_arn else ["no stream"]
    return ", ".join([state.status, *busy, *stream])
