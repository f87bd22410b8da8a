"""An edit of a handler: what has to be done to its function, and to nothing else."""

from __future__ import annotations

from streamdev.aws.gateway import Gateway
from streamdev.config.models import Pipeline, Project
from streamdev.deploy import functions, resources
from streamdev.deploy.package import Package
from streamdev.deploy.plan import Plan
from streamdev.deploy.resources import ALIAS, PIPELINE_TAG, PROJECT_TAG


def plan_reload(project: Project, pipeline: Pipeline, package: Package, gateway: Gateway) -> Plan:
    """Bring the pipeline's function in line with ``package``; all else is as it was."""
    tags = {PROJECT_TAG: resources.project_id(project.path), PIPELINE_TAG: pipeline.name}
    desired = resources.function_resource(pipeline, package, gateway.region, tags)
    alias = None
    if desired.provisioned_concurrency is not None:
        alias = gateway.versions.find(desired.name, ALIAS)
    return Plan((functions.plan(desired, gateway.functions.find(desired.name), alias),))
