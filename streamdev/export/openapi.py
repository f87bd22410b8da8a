"""A pipeline's API as an OpenAPI definition with API Gateway's integrations."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from streamdev.config.api import ApiMethod
from streamdev.config.models import Api

_JSON = "application/json"


def definition(
    api: Api,
    *,
    title: Any,
    uri: Callable[[str], Any],
    credentials: Any,
    template: Callable[[Path], Any],
) -> dict[str, Any]:
    """The definition; what differs by form is made by the caller.

    Args:
        api: The API.
        title: What stands for its name.
        uri: Gives what an action of DynamoDB is called by.
        credentials: What stands for the role's ARN.
        template: Gives what stands for the mapping template in a file.
    """
    paths: dict[str, dict[str, Any]] = {}
    for method in api.methods:
        described = _method(method, uri(method.action), credentials, template)
        paths.setdefault(method.path, {})[method.http_method.lower()] = described
    return {"openapi": "3.0.1", "info": {"title": title, "version": "1.0"}, "paths": paths}


def _method(
    method: ApiMethod, uri: Any, credentials: Any, template: Callable[[Path], Any]
) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if method.path_parameters:
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in method.path_parameters
        ]
    described["responses"] = {
        str(response.status_code): {"description": _phrase(response.status_code)}
        for response in method.responses
    }
    described["x-amazon-apigateway-integration"] = {
        "type": "aws",
        "httpMethod": "POST",
        "uri": uri,
        "credentials": credentials,
        "passthroughBehavior": "never",
        "requestTemplates": {_JSON: template(method.request_template)},
        "responses": {
            response.selection_pattern or "default": {
                "statusCode": str(response.status_code),
                "responseTemplates": {_JSON: template(response.response_template)},
            }
            for response in method.responses
        },
    }
    return described


def _phrase(status_code: int) -> str:
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return f"Status {status_code}"
