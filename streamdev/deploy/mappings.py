"""Event source mappings: compared and brought about; none may stay that is out of date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from streamdev.aws import names
from streamdev.aws.gateway import Gateway
from streamdev.aws.mappings import MappingState
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.resources import PROJECT_TAG, MappingResource
from streamdev.deploy.waiting import wait_for
from streamdev.errors import DeployError

DEADLINE_S = 60.0


def plan(
    desired: MappingResource,
    existing: Sequence[MappingState],
    stream_arn: str | None,
    tags: Mapping[str, Mapping[str, str]],
) -> Iterator[Change]:
    """What the pipeline's mapping needs, and what must become of the function's others.

    Args:
        desired: As pipelines.toml declares it.
        existing: All mappings there are.
        stream_arn: The table's stream as it will stay; ``None`` where it will be a new one.
        tags: Tags of the function's mappings, by UUID.
    """
    current: MappingState | None = None
    for mapping in existing:
        if mapping.function != desired.function:
            continue
        if mapping.source_arn == stream_arn and current is None:
            current = mapping
        else:
            yield _surplus(desired, mapping, tags.get(mapping.uuid, {}))
    yield _plan_current(desired, current)


def _plan_current(desired: MappingResource, current: MappingState | None) -> Change:
    assert desired.settings is not None
    if current is None:
        return Change(desired, Action.CREATE)
    known = replace(desired, uuid=current.uuid)
    if current.starting_position != desired.starting_position:
        reason = (
            f"starting-position {current.starting_position} → {desired.starting_position}: "
            "AWS can't change it in place, so the mapping begins anew"
        )
        return Change(known, Action.REPLACE, (reason,))
    if differences := current.settings.differences(desired.settings):
        return Change(known, Action.UPDATE, differences)
    return Change(known, Action.NOTHING)


def _surplus(
    desired: MappingResource,
    mapping: MappingState,
    tags: Mapping[str, str],
) -> Change:
    """A mapping of the pipeline's function that is not the pipeline's."""
    table = names.table_of_stream(mapping.source_arn)
    other = replace(desired, table=table or mapping.source_arn, uuid=mapping.uuid, settings=None)
    if table == desired.table:
        return Change(other, Action.DELETE, ("it reads an old stream of the table",))
    if tags.get(PROJECT_TAG) == desired.tags[PROJECT_TAG]:
        return Change(other, Action.DELETE, ("no pipeline names it any more",))
    return Change(other, Action.LEAVE, ("not made by streamdev",))


def apply(gateway: Gateway, change: Change, desired: MappingResource) -> None:
    """Bring the mapping about and wait until it reads (or, disabled, does not).

    Raises:
        DeployError: The table has no stream, or the mapping did not get there in time.
    """
    uuid = desired.uuid
    if change.action in (Action.DELETE, Action.REPLACE):
        assert uuid is not None
        _delete(gateway, uuid)
    if change.action is Action.DELETE:
        return
    assert desired.settings is not None
    if change.action is Action.UPDATE:
        assert uuid is not None
        gateway.mappings.update(uuid, desired.function, desired.settings)
    else:
        uuid = gateway.mappings.create(
            desired.function,
            _stream_of(gateway, desired.table),
            desired.starting_position,
            desired.settings,
            desired.tags,
        )
    wanted = "Enabled" if desired.settings.enabled else "Disabled"
    wait_for(
        f"The mapping {desired.name}",
        lambda: gateway.mappings.find(uuid),
        lambda state: state is not None and state.state == wanted,
        deadline_s=DEADLINE_S,
        describe=lambda state: state.state if state else "it does not exist",
    )


def _delete(gateway: Gateway, uuid: str) -> None:
    gateway.mappings.delete(uuid)
    wait_for(
        f"The end of the mapping {uuid}",
        lambda: gateway.mappings.find(uuid),
        lambda state: state is None,
        deadline_s=DEADLINE_S,
        describe=lambda state: state.state if state else "gone",
    )


def _stream_of(gateway: Gateway, table: str) -> str:
    state = gateway.tables.find(table)
    if state is None or state.stream_arn is None:
        raise DeployError(f"Table {table} has no stream.", hint="Deploy again.")
    return state.stream_arn
