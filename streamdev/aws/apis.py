"""REST APIs of API Gateway whose methods are integrations with DynamoDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from streamdev.aws.errors import AwsError

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

HttpMethod = Literal["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]

#: LocalStack takes the API's id from this tag, so that its URL stays over restarts.
ID_TAG = "_custom_id_"
_JSON = "application/json"


@dataclass(frozen=True)
class ApiState:
    """An API as it exists.

    Attributes:
        id: Its id, part of its URL.
        name: Its name; AWS lets several APIs have one.
        stages: Each stage's variables, by the stage's name.
        tags: Its tags.
    """

    id: str
    name: str
    stages: Mapping[str, Mapping[str, str]]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Response:
    """An answer of a method: which one, by DynamoDB's status code, and its body's template."""

    status_code: str
    selection_pattern: str | None
    template: str


@dataclass(frozen=True)
class Method:
    """A method and its integration.

    Attributes:
        path: The resource, such as ``/requests/{id}``.
        http_method: The client's method.
        action: DynamoDB's action, such as ``PutItem``.
        template: The mapping template of the action's parameters.
        path_parameters: The names in braces in ``path``.
        responses: The answers.
    """

    path: str
    http_method: HttpMethod
    action: str
    template: str
    path_parameters: tuple[str, ...]
    responses: tuple[Response, ...]


class Apis:
    """Looks up, creates, changes and deletes REST APIs."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def all(self) -> list[ApiState]:
        """Every API, with its stages."""
        client = self._gateway.client("apigateway")
        found = []
        with self._gateway.errors():
            for page in client.get_paginator("get_rest_apis").paginate():
                for api in page["items"]:
                    stages = client.get_stages(restApiId=api["id"])["item"]
                    variables = {one["stageName"]: one.get("variables", {}) for one in stages}
                    found.append(ApiState(api["id"], api["name"], variables, api.get("tags", {})))
        return found

    def create(self, name: str, tags: Mapping[str, str]) -> str:
        """Create an API without methods; return its id.

        With LocalStack the id is the API's name, unless another API has it.
        """
        client = self._gateway.client("apigateway")
        with self._gateway.errors():
            try:
                return client.create_rest_api(name=name, tags={**tags, ID_TAG: name})["id"]
            except AwsError:
                return client.create_rest_api(name=name, tags=dict(tags))["id"]

    def define(self, api: str, methods: Iterable[Method], role_arn: str) -> None:
        """Give the API these methods and no others; they are in force with the next ``deploy``.

        Args:
            api: The API's id.
            methods: Its methods.
            role_arn: What API Gateway calls DynamoDB with.
        """
        client = self._gateway.client("apigateway")
        with self._gateway.errors():
            resources = client.get_resources(restApiId=api, limit=500)["items"]
            ids = {resource["path"]: resource["id"] for resource in resources}
            for path in [path for path in ids if path.count("/") == 1 and path != "/"]:
                client.delete_resource(restApiId=api, resourceId=ids[path])
            ids = {"/": ids["/"]}
            for method in methods:
                self._put_method(api, self._resource(api, ids, method.path), method, role_arn)

    def deploy(self, api: str, stage: str, variables: Mapping[str, str]) -> None:
        """Bring what was defined into force in ``stage``, with these stage variables."""
        with self._gateway.errors():
            self._gateway.client("apigateway").create_deployment(
                restApiId=api, stageName=stage, variables=dict(variables)
            )

    def delete(self, api: str) -> None:
        """Delete an API with its stages."""
        with self._gateway.errors():
            self._gateway.client("apigateway").delete_rest_api(restApiId=api)

    def url(self, api: str, stage: str) -> str:
        """Where a stage answers, without a slash at the end (a local engine's own form)."""
        return f"{self._gateway.endpoint_url}/_aws/execute-api/{api}/{stage}"

    def _resource(self, api: str, ids: dict[str, str], path: str) -> str:
        """The id of the resource at ``path``, made with its parents where it is missing."""
        if path not in ids:
            parent, _, part = path.rpartition("/")
            parent_id = self._resource(api, ids, parent or "/")
            made = self._gateway.client("apigateway").create_resource(
                restApiId=api, parentId=parent_id, pathPart=part
            )
            ids[path] = made["id"]
        return ids[path]

    def _put_method(self, api: str, resource: str, method: Method, role_arn: str) -> None:
        client = self._gateway.client("apigateway")
        where: Any = {
            "restApiId": api,
            "resourceId": resource,
            "httpMethod": method.http_method,
        }
        client.put_method(
            **where,
            authorizationType="NONE",
            requestParameters={f"method.request.path.{n}": True for n in method.path_parameters},
        )
        client.put_integration(
            **where,
            type="AWS",
            # Whatever the client's method is, DynamoDB's API takes POST.
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:{self._gateway.region}:dynamodb:action/{method.action}",
            credentials=role_arn,
            requestTemplates={_JSON: method.template},
            # A body of another content type would reach DynamoDB as it is.
            passthroughBehavior="NEVER",
        )
        for response in method.responses:
            code = response.status_code
            client.put_method_response(**where, statusCode=code)
            pattern: Any = {}
            if response.selection_pattern is not None:
                pattern = {"selectionPattern": response.selection_pattern}
            client.put_integration_response(
                **where, statusCode=code, responseTemplates={_JSON: response.template}, **pattern
            )
