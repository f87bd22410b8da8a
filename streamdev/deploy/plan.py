"""The plan: what should exist, compared with what does, in the order it is brought about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamdev.aws.names import DEFAULT_REGION, table_of_stream
from streamdev.config.models import Pipeline, Project
from streamdev.deploy import apis, functions, mappings, resources, roles, tables, topics
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.existing import Existing
from streamdev.deploy.package import Package
from streamdev.deploy.resources import (
    PIPELINE_TAG,
    PROJECT_TAG,
    DestinationResource,
    FunctionResource,
    MappingResource,
    RoleResource,
    TableResource,
)
from streamdev.errors import DeployError


@dataclass(frozen=True)
class Plan:
    """Changes in the order they are made: removals, then what others need, then those."""

    changes: tuple[Change, ...]

    @property
    def effective(self) -> tuple[Change, ...]:
        """The changes that touch something."""
        return tuple(change for change in self.changes if change.effective)

    def check(self) -> None:
        """Raise for what can't be done in place, before anything is touched.

        Raises:
            DeployError: With a line for each obstacle.
        """
        obstacles = [
            f"{change.resource.kind} {change.resource.name}: {', '.join(change.reasons)}."
            for change in self.changes
            if change.obstacle
        ]
        if obstacles:
            hint = next(change.obstacle for change in self.changes if change.obstacle)
            raise DeployError("\n".join(obstacles), hint=hint)


def make_plan(
    project: Project,
    pipelines: Sequence[Pipeline],
    packages: Mapping[str, Package],
    existing: Existing,
    *,
    region: str = DEFAULT_REGION,
    may_replace: bool = False,
) -> Plan:
    """Compare what ``pipelines`` declare with what exists.

    Args:
        project: The whole project; its path marks what is its own.
        pipelines: What to deploy.
        packages: The zip of each function, by the function's name.
        existing: What the engine has.
        region: The region ARNs are made for.
        may_replace: Whether a table may be dropped where it can't be changed in place.
    """
    owner = {PROJECT_TAG: resources.project_id(project.path)}
    before: list[Change] = [
        *_leftovers(existing),
        *_destinations(pipelines, existing),
        *topics.plan(pipelines, existing.subscriptions, region),
    ]
    if len(pipelines) == len(project.pipelines):
        wanted = {pipeline.api.name for pipeline in pipelines if pipeline.api}
        before += apis.leftovers(owner[PROJECT_TAG], wanted, existing.apis, existing.roles)
    table_changes: dict[str, Change] = {}
    after: list[Change] = []
    for pipeline in pipelines:
        tags = {**owner, PIPELINE_TAG: pipeline.name}
        name = pipeline.table.name
        state = existing.tables.get(name)
        if name not in table_changes:
            table = resources.table_resource(pipeline.table, tags)
            table_changes[name] = tables.plan(
                table, state, existing.ttls.get(name), may_replace=may_replace
            )
        for own in (resources.own_table_resource(table, tags) for table in pipeline.tables):
            table_changes[own.name] = tables.plan(
                own,
                existing.tables.get(own.name),
                existing.ttls.get(own.name),
                may_replace=may_replace,
            )
        renewed = state is None or tables.renews_stream(table_changes[name])
        role = resources.role_resource(pipeline, region, tags)
        after.append(roles.plan(role, existing.roles.get(role.name)))
        package = packages[pipeline.function.name]
        function = resources.function_resource(pipeline, package, region, tags)
        after.append(
            functions.plan(
                function,
                existing.functions.get(function.name),
                existing.aliases.get(function.name),
            )
        )
        after += mappings.plan(
            resources.mapping_resource(pipeline, region, tags),
            existing.mappings,
            None if renewed or state is None else state.stream_arn,
            existing.mapping_tags,
        )
        if pipeline.api is not None:
            role = apis.api_role(pipeline, pipeline.api, region, tags)
            after.append(roles.plan(role, existing.roles.get(role.name)))
            after.append(apis.plan(apis.api_resource(pipeline, pipeline.api, tags), existing.apis))
    return Plan(tuple(_ordered([*before, *table_changes.values(), *after])))


def _ordered(changes: Sequence[Change]) -> Iterator[Change]:
    """Removals first, each kind in turn; then the rest as planned."""
    removals = [change for change in changes if change.action is Action.DELETE]
    for kind in ("api", "mapping", "function", "role"):
        yield from (change for change in removals if change.resource.kind == kind)
    yield from (change for change in changes if change.action is not Action.DELETE)


def _destinations(pipelines: Sequence[Pipeline], existing: Existing) -> Iterator[Change]:
    for service, name in topics.destinations(pipelines):
        there = (service, name) in existing.destinations
        yield Change(DestinationResource(service, name), Action.NOTHING if there else Action.CREATE)


def _leftovers(existing: Existing) -> Iterator[Change]:
    """What this project made and no pipeline names any more.

    Functions, their roles and mappings hold nothing and go. Tables may hold data: they are
    told and left.
    """
    reason = ("no pipeline names it any more",)
    for name, tags in existing.left_functions.items():
        for mapping in existing.mappings:
            if mapping.function == name:
                table = table_of_stream(mapping.source_arn) or mapping.source_arn
                gone = MappingResource(name, table, "", None, tags, uuid=mapping.uuid)
                yield Change(gone, Action.DELETE, reason)
        yield Change(FunctionResource(name, None, None, None, None, tags), Action.DELETE, reason)
        role = resources.role_name(name)
        if role in existing.roles:
            yield Change(RoleResource(role, {}, {}, tags), Action.DELETE, reason)
    for name, tags in existing.left_tables.items():
        table_left = TableResource(name, (), {}, "", (), (), None, tags)
        kept = "no pipeline names it any more; it is kept, as it may hold data"
        yield Change(table_left, Action.LEAVE, (kept,))
