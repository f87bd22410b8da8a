"""Removing all that a pipeline had made, what holds data as well."""

from __future__ import annotations

from streamdev.aws.cloudwatch import delete_log
from streamdev.aws.gateway import Gateway
from streamdev.config.models import Pipeline
from streamdev.deploy import apis, mappings, topics
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.resources import MappingResource, RoleResource, role_name


def remove_pipeline(gateway: Gateway, pipeline: Pipeline) -> None:
    """Remove a pipeline's mapping, function, roles, API, tables, topics, queues and buckets.

    What is not there is passed over, so a removal that was interrupted can be repeated. Only for
    pipelines that share nothing with others.

    Raises:
        DeployError: The mapping did not go in time.
        AwsError: Something can't be removed.
    """
    function = pipeline.function.name
    for mapping in gateway.mappings.all():
        if mapping.function == function:
            gone = MappingResource(function, pipeline.table.name, "", None, {}, uuid=mapping.uuid)
            mappings.apply(gateway, Change(gone, Action.DELETE), gone)
    roles = [role_name(function)]
    if gateway.functions.find(function) is not None:
        gateway.functions.delete(function)
    if pipeline.api is not None:
        roles.append(apis.role_of_api(pipeline.api.name))
        for api in gateway.apis.all():
            if api.name == pipeline.api.name:
                gateway.apis.delete(api.id)
    for role in roles:
        if gateway.roles.find(role, RoleResource.policy_name) is not None:
            gateway.roles.delete(role, RoleResource.policy_name)
    for table in (pipeline.table.name, *(own.name for own in pipeline.tables)):
        if gateway.tables.find(table) is not None:
            gateway.tables.delete(table)
    for service, name in topics.destinations([pipeline]):
        if gateway.destinations.exists(service, name):
            gateway.destinations.delete(service, name)
    delete_log(gateway, function)
