"""A plan carried out, change by change."""

from __future__ import annotations

from collections.abc import Callable

from streamdev.aws.errors import AwsError
from streamdev.aws.gateway import Gateway
from streamdev.deploy import apis, functions, mappings, roles, tables, topics
from streamdev.deploy.changes import Change
from streamdev.deploy.plan import Plan
from streamdev.deploy.resources import (
    ApiResource,
    DestinationResource,
    FunctionResource,
    MappingResource,
    RoleResource,
    SubscriptionResource,
    TableResource,
)
from streamdev.errors import DeployError

#: Told before a change begins and, with ``True``, when it is done.
Watcher = Callable[[Change, bool], None]


def apply_plan(plan: Plan, gateway: Gateway, watch: Watcher) -> None:
    """Make the plan's changes in order, each until it is really in force.

    Every change can be repeated: after an interruption or an error a new plan has what is
    left to do.

    Raises:
        DeployError: A change can't be made in place (then nothing was touched), was refused,
            or did not come into force in time.
    """
    plan.check()
    for change in plan.changes:
        watch(change, False)
        if change.effective:
            try:
                _apply(change, gateway)
            except AwsError as error:
                what = f"{change.action} {change.resource.kind} {change.resource.name}"
                raise DeployError(f"Could not {what}: {error.message}", hint=error.hint) from error
        watch(change, True)


def _apply(change: Change, gateway: Gateway) -> None:
    match change.resource:
        case DestinationResource() as destination:
            gateway.destinations.create(destination.service, destination.name)
        case SubscriptionResource() as subscription:
            topics.apply(gateway, change, subscription)
        case TableResource() as table:
            tables.apply(gateway, change, table)
        case RoleResource() as role:
            roles.apply(gateway, change, role)
        case FunctionResource() as function:
            functions.apply(gateway, change, function)
        case MappingResource() as mapping:
            mappings.apply(gateway, change, mapping)
        case ApiResource() as api:
            apis.apply(gateway, change, api)
