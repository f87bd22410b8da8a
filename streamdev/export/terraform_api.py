"""REST APIs as Terraform's AWS provider has them: made from an OpenAPI definition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streamdev.config.models import Api, Pipeline
from streamdev.deploy import apis
from streamdev.export import openapi
from streamdev.export.hcl import Block, Call, Expression, Joined, Noted, block, present
from streamdev.export.terraform_function import role
from streamdev.export.terraform_names import (
    Addresses,
    attribute,
    in_module,
    named,
    relative,
    variable,
)

#: What an integration's URI is made of.
DATA = (block("data", "aws_partition", "current"), block("data", "aws_region", "current"))


def api(
    pipeline: Pipeline, api: Api, addresses: Addresses, region: str, folder: Path
) -> Iterator[Block]:
    """The pipeline's API, the role it calls DynamoDB with, its deployment and its stage."""
    label = addresses.labels.of("Api", api.name)
    local_role = apis.api_role(pipeline, api, region, {})
    made, policy = role(
        # A space is in no function's name.
        addresses.labels.of("Role", f"{api.name} api"),
        f"{api.name}-api",
        "API Gateway calls DynamoDB with this role.",
        local_role.trust,
        addresses.within(local_role.policy),
    )
    yield made
    yield policy
    definition = openapi.definition(
        api,
        title=named(api.name),
        uri=_uri,
        credentials=attribute(made, "arn"),
        template=lambda file: Call("file", in_module(relative(file, folder))),
    )
    comment = (
        "Anyone who knows the URL can call it, on AWS too: add an authorizer, an API key or a\n"
        "resource policy where that is not meant. AWS takes bodies of up to 10 MB."
    )
    rest = block(
        "resource",
        "aws_api_gateway_rest_api",
        label,
        name=named(api.name),
        body=Noted(comment, Call("jsonencode", definition)),
    )
    yield rest
    deployment = Block(
        ("resource", "aws_api_gateway_deployment", label),
        (
            ("rest_api_id", attribute(rest, "id")),
            ("triggers", {"redeployment": Call("sha1", attribute(rest, "body"))}),
            block("lifecycle", create_before_destroy=True),
        ),
    )
    yield deployment
    yield block(
        "resource",
        "aws_api_gateway_stage",
        label,
        rest_api_id=attribute(rest, "id"),
        deployment_id=attribute(deployment, "id"),
        stage_name=variable(stage_variable(api, addresses)),
        variables={"table": addresses.attribute("Table", pipeline.table.name, "name")},
    )


def _uri(action: str) -> Joined:
    partition, region = (
        attribute(one, name) for one, name in zip(DATA, ("partition", "region"), strict=True)
    )
    return Joined(("arn:", partition, ":apigateway:", region, f":dynamodb:action/{action}"))


def stage_variable(api: Api, addresses: Addresses) -> str:
    """The variable that names the API's stage."""
    return f"{addresses.labels.of('Api', api.name)}_stage"


def stage_variables(api: Api, addresses: Addresses) -> Iterator[Block]:
    """The variable itself."""
    name = stage_variable(api, addresses)
    arguments = {
        "type": Expression("string"),
        "default": api.stage,
        "description": f"The stage of the API {api.name}, part of its URL.",
    }
    validation = block(
        "validation",
        condition=Expression(f'can(regex("^[a-zA-Z0-9_-]{{1,128}}$", var.{name}))'),
        error_message="AWS takes letters, digits, _ and -.",
    )
    yield Block(("variable", name), (*present(arguments), validation))


def outputs(api: Api, addresses: Addresses) -> Iterator[Block]:
    """The API's id and its URL."""
    label = addresses.labels.of("Api", api.name)
    id_, url = f"aws_api_gateway_rest_api.{label}.id", f"aws_api_gateway_stage.{label}.invoke_url"
    yield block("output", f"{label}_api_id", value=Expression(id_))
    yield block("output", f"{label}_api_url", value=Expression(url))
