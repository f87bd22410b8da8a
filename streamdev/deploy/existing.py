"""What the engine has of that which a plan is about, read in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from streamdev.aws import names
from streamdev.aws.apis import ApiState
from streamdev.aws.destinations import Service
from streamdev.aws.functions import FunctionState
from streamdev.aws.gateway import Gateway
from streamdev.aws.mappings import MappingState
from streamdev.aws.roles import RoleState
from streamdev.aws.tables import TableState
from streamdev.aws.topics import SubscriptionState
from streamdev.aws.versions import AliasState
from streamdev.config.models import Pipeline, Project
from streamdev.deploy import apis, tables, topics
from streamdev.deploy.resources import ALIAS, PROJECT_TAG, RoleResource, project_id, role_name

READERS = 8

K = TypeVar("K")
V = TypeVar("V")

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Existing:
    """What there is. All of it by name; the default is an engine with nothing in it.

    Attributes:
        tables: The tables that the pipelines name.
        ttls: The attribute each of these tables' items expire by.
        functions: The functions that the pipelines name.
        aliases: The aliases their mappings call where environments are provisioned.
        roles: The roles of these functions and of ``left_functions``.
        destinations: Those of the queues, topics and buckets that are there.
        subscriptions: Those of the declared subscriptions that are there.
        mappings: All event source mappings.
        mapping_tags: Tags of the mappings of the pipelines' functions, by UUID.
        apis: All REST APIs.
        left_functions: Functions this project made that no pipeline names, and their tags.
        left_tables: Tables of that kind.
    """

    tables: Mapping[str, TableState] = field(default_factory=dict)
    ttls: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, FunctionState] = field(default_factory=dict)
    aliases: Mapping[str, AliasState] = field(default_factory=dict)
    roles: Mapping[str, RoleState] = field(default_factory=dict)
    destinations: frozenset[tuple[Service, str]] = frozenset()
    subscriptions: Mapping[topics.Pair, SubscriptionState] = field(default_factory=dict)
    mappings: Sequence[MappingState] = ()
    mapping_tags: Mapping[str, Tags] = field(default_factory=dict)
    apis: Sequence[ApiState] = ()
    left_functions: Mapping[str, Tags] = field(default_factory=dict)
    left_tables: Mapping[str, Tags] = field(default_factory=dict)


def read_existing(
    project: Project, pipelines: Sequence[Pipeline], gateway: Gateway, *, tables_only: bool = False
) -> Existing:
    """Look up what ``pipelines`` declare and, when these are all, what was left behind.

    With ``tables_only`` it is known that nothing else can be there.
    """
    owner = project_id(project.path)
    with ThreadPoolExecutor(READERS) as pool:

        def lookup(keys: Iterable[K], look: Callable[[K], V | None]) -> dict[K, V]:
            keys = list(dict.fromkeys(keys))
            found = zip(keys, pool.map(look, keys), strict=True)
            return {key: value for key, value in found if value is not None}

        def owned(tags: Tags) -> Tags | None:
            return tags if tags.get(PROJECT_TAG) == owner else None

        whole = len(pipelines) == len(project.pipelines)
        table_states = lookup(
            (
                name
                for pipeline in pipelines
                for name in (pipeline.table.name, *(own.name for own in pipeline.tables))
            ),
            lambda name: tables.find(gateway, name),
        )
        found = Existing(
            tables=table_states,
            ttls=lookup(table_states, gateway.tables.ttl),
            left_tables=lookup(
                (name for name in gateway.tables.names() if name not in project.table_names)
                if whole
                else (),
                lambda name: owned(gateway.tables.tags(names.table_arn(name, gateway.region))),
            ),
        )
        if tables_only:
            return found
        mappings = gateway.mappings.all()
        rest_apis = gateway.apis.all()
        functions = [pipeline.function.name for pipeline in pipelines]
        left_functions = lookup(
            (name for name in gateway.functions.names() if name not in functions) if whole else (),
            lambda name: owned(gateway.functions.tags(names.function_arn(name, gateway.region))),
        )
        api_roles = {apis.role_of_api(pipeline.api.name) for pipeline in pipelines if pipeline.api}
        api_roles |= {
            apis.role_of_api(api.name) for api in rest_apis if api.tags.get(PROJECT_TAG) == owner
        }
        function_states = lookup(functions, gateway.functions.find)
        return replace(
            found,
            functions=function_states,
            aliases=lookup(function_states, lambda name: gateway.versions.find(name, ALIAS)),
            roles=lookup(
                (*(role_name(name) for name in (*functions, *left_functions)), *api_roles),
                lambda name: gateway.roles.find(name, RoleResource.policy_name),
            ),
            destinations=frozenset(
                lookup(
                    topics.destinations(pipelines),
                    lambda one: gateway.destinations.exists(*one) or None,
                )
            ),
            subscriptions=lookup(
                topics.subscriptions(pipelines), lambda pair: gateway.topics.subscription(*pair)
            ),
            mappings=mappings,
            mapping_tags=lookup(
                (one.uuid for one in mappings if one.function in functions),
                gateway.mappings.tags,
            ),
            apis=rest_apis,
            left_functions=left_functions,
        )
