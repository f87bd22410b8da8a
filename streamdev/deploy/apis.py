"""REST APIs: what should exist, compared and brought about.

What an API holds is many small resources. They are not read back one by one: a variable of the
stage, which comes into force with them, holds a hash of the definition they were made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict

from streamdev.aws import names
from streamdev.aws.apis import ApiState, Method, Response
from streamdev.aws.gateway import Gateway
from streamdev.config.models import Api, ApiMethod, Pipeline
from streamdev.deploy.changes import Action, Change
from streamdev.deploy.policy import api_policy, trust
from streamdev.deploy.resources import PROJECT_TAG, ApiResource, RoleResource, role_name

DEFINITION = "definition"


def role_of_api(api: str) -> str:
    """The name of the role that API Gateway calls DynamoDB with for the API of that name."""
    return role_name(f"{api}-api")


def api_role(pipeline: Pipeline, api: Api, region: str, tags: Mapping[str, str]) -> RoleResource:
    """That role: the actions of the API's methods, on the pipeline's table."""
    return RoleResource(
        name=role_of_api(api.name),
        trust=trust("apigateway.amazonaws.com"),
        policy=api_policy(pipeline.table.name, {method.action for method in api.methods}, region),
        tags=tags,
    )


def api_resource(pipeline: Pipeline, api: Api, tags: Mapping[str, str]) -> ApiResource:
    """The pipeline's API."""
    methods = tuple(_method(method) for method in api.methods)
    role_arn = names.role_arn(role_of_api(api.name))
    variables = {"table": pipeline.table.name}
    definition = [[asdict(method) for method in methods], api.stage, role_arn, variables]
    text = json.dumps(definition, sort_keys=True)
    return ApiResource(
        name=api.name,
        stage=api.stage,
        methods=methods,
        role_arn=role_arn,
        variables=variables,
        definition=hashlib.sha256(text.encode()).hexdigest()[:32],
        tags=tags,
    )


def _method(method: ApiMethod) -> Method:
    return Method(
        path=method.path,
        http_method=method.http_method,
        action=method.action,
        template=method.request_template.read_text(encoding="utf-8"),
        path_parameters=method.path_parameters,
        responses=tuple(
            Response(
                status_code=str(response.status_code),
                selection_pattern=response.selection_pattern,
                template=response.response_template.read_text(encoding="utf-8"),
            )
            for response in method.responses
        ),
    )


def find(name: str, project: str, existing: Sequence[ApiState]) -> ApiState | None:
    """The project's API called ``name``; AWS lets strangers have the same name."""
    own = (api for api in existing if api.tags.get(PROJECT_TAG) == project)
    return next((api for api in own if api.name == name), None)


def plan(desired: ApiResource, existing: Sequence[ApiState]) -> Change:
    """What the API needs."""
    current = find(desired.name, desired.tags[PROJECT_TAG], existing)
    if current is None:
        return Change(desired, Action.CREATE)
    known = desired.known_as(current.id)
    variables = current.stages.get(desired.stage)
    if variables is None:
        return Change(known, Action.UPDATE, (f"stage {desired.stage} is missing",))
    if variables.get(DEFINITION) != desired.definition:
        return Change(known, Action.UPDATE, ("methods",))
    return Change(known, Action.NOTHING)


def leftovers(
    project: str, wanted: set[str], existing: Sequence[ApiState], roles: Container[str]
) -> Iterator[Change]:
    """APIs of the project that no pipeline names any more, with their roles; they hold no data."""
    for api in existing:
        if api.tags.get(PROJECT_TAG) == project and api.name not in wanted:
            gone = ApiResource(api.name, "", (), "", {}, "", api.tags, id=api.id)
            reason = ("no pipeline names it any more",)
            yield Change(gone, Action.DELETE, reason)
            if (role := role_of_api(api.name)) in roles:
                yield Change(RoleResource(role, {}, {}, api.tags), Action.DELETE, reason)


def apply(gateway: Gateway, change: Change, desired: ApiResource) -> None:
    """Bring the API about, or delete it.

    The stage serves what was deployed last until the new definition is whole.
    """
    if change.action is Action.DELETE:
        assert desired.id is not None
        gateway.apis.delete(desired.id)
        return
    api = desired.id or gateway.apis.create(desired.name, desired.tags)
    gateway.apis.define(api, desired.methods, desired.role_arn)
    variables = {**desired.variables, DEFINITION: desired.definition}
    gateway.apis.deploy(api, desired.stage, variables)
