"""REST APIs of a SAM template: an OpenAPI definition with API Gateway's integrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamdev.config.models import Api, Pipeline
from streamdev.deploy import apis
from streamdev.export import openapi
from streamdev.export.references import References, named
from streamdev.export.sam_function import role
from streamdev.export.sam_storage import Entry
from streamdev.export.values import Block, Commented, GetAtt, Ref, Sub


def api(pipeline: Pipeline, api: Api, references: References, region: str) -> Iterator[Entry]:
    """The pipeline's API and the role it calls DynamoDB with."""
    role_id = references.ids.of("ApiRole", api.name)
    local_role = apis.api_role(pipeline, api, region, {})
    comment = "API Gateway calls DynamoDB with this role."
    yield role(role_id, comment, local_role.trust, local_role.policy, references)
    properties = {
        "Name": named(api.name),
        "StageName": Ref(stage_parameter(api, references)),
        "OpenApiVersion": "3.0.1",
        "Variables": {"table": Ref(references.ids.of("Table", pipeline.table.name))},
        "DefinitionBody": openapi.definition(
            api,
            title=named(api.name),
            uri=_uri,
            credentials=GetAtt(role_id, "Arn"),
            template=lambda file: Block(file.read_text(encoding="utf-8")),
        ),
    }
    comments = {
        "OpenApiVersion": "Without it SAM makes a second stage, named Stage.",
        "DefinitionBody": (
            "Anyone who knows the URL can call it, on AWS too: add Auth (AWS_IAM, an API key, an\n"
            "authorizer) where that is not meant. AWS takes bodies of up to 10 MB."
        ),
    }
    yield (
        references.ids.of("Api", api.name),
        Commented({"Type": "AWS::Serverless::Api", "Properties": Commented(properties, comments)}),
    )


def stage_parameter(api: Api, references: References) -> str:
    """The parameter that names the API's stage."""
    return references.ids.of("Stage", api.name)


def stage_parameters(api: Api, references: References) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parameter itself."""
    yield (
        stage_parameter(api, references),
        {
            "Type": "String",
            "Default": api.stage,
            "AllowedPattern": "[a-zA-Z0-9_-]{1,128}",
            "Description": f"The stage of the API {api.name}, part of its URL.",
        },
    )


def _uri(action: str) -> Sub:
    return Sub(f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:dynamodb:action/{action}")
