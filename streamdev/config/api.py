"""A REST API in front of the table, as pipelines.toml declares it.

Every method is an AWS service integration with one action of DynamoDB: no function stands between
the client and the table. The terms are those of API Gateway's *PutIntegration* and
*PutIntegrationResponse*; mapping templates are files of their own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from streamdev.config.base import Model

HttpMethod = Literal["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
ItemAction = Literal["DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]

#: API Gateway refuses longer ones.
MAX_TEMPLATE_BYTES = 300 * 1024

ResourcePath = Annotated[
    str, Field(min_length=2, max_length=512, pattern=r"^(/([a-zA-Z0-9._~:-]+|\{[a-zA-Z0-9_]+\}))+$")
]


class Templates(Model):
    """What has mapping templates: their files become absolute paths once loaded."""

    @field_validator("request_template", "response_template", check_fields=False)
    @classmethod
    def _readable(cls, template: Path, info: ValidationInfo) -> Path:
        root: Path | None = (info.context or {}).get("root")
        if root is None:
            return template
        path = (root / template).resolve()
        try:
            size = len(path.read_text(encoding="utf-8").encode())
        except OSError as error:
            raise ValueError(f"{template} can't be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{template} is no UTF-8 text: {error}") from error
        if size > MAX_TEMPLATE_BYTES:
            raise ValueError(f"{template} has {size} bytes, over AWS's {MAX_TEMPLATE_BYTES}")
        return path


class ApiResponse(Templates):
    """What the client gets when DynamoDB's status code fits ``selection_pattern``."""

    status_code: int = Field(ge=100, le=599, description="The answer's status code.")
    selection_pattern: str | None = Field(
        default=None,
        description="A regular expression for DynamoDB's status code; none: for all others.",
    )
    response_template: Path = Field(
        strict=False, description="The file of the template of the answer's body."
    )

    @field_validator("selection_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return pattern


class ApiMethod(Templates):
    """A method of the API and the action of DynamoDB it stands for."""

    path: ResourcePath = Field(description="The resource, such as /requests/{id}.")
    http_method: HttpMethod = Field(description="The method.")
    action: ItemAction = Field(description="The action of DynamoDB.")
    request_template: Path = Field(
        strict=False, description="The file of the template of the action's parameters."
    )
    responses: tuple[ApiResponse, ...] = Field(
        strict=False, min_length=1, description="The answers, by DynamoDB's status code."
    )

    @property
    def name(self) -> str:
        """``PUT /requests``."""
        return f"{self.http_method} {self.path}"

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names in braces in the path."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))

    @model_validator(mode="after")
    def _one_answer_each(self) -> Self:
        codes = [response.status_code for response in self.responses]
        if len(codes) != len(set(codes)):
            raise ValueError(f"{self.name}: API Gateway takes one response for a status code")
        if sum(response.selection_pattern is None for response in self.responses) != 1:
            raise ValueError(f"{self.name}: exactly one response goes without selection-pattern")
        return self


class Api(Model):
    """A REST API whose methods act on the pipeline's table."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")] = Field(
        default="", description="Default: the pipeline's name."
    )
    stage: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]+$")] = Field(
        default="dev", description="The stage it is deployed to."
    )
    methods: tuple[ApiMethod, ...] = Field(
        strict=False, min_length=1, description="What it answers."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [method.name for method in self.methods]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} is declared twice")
        return self
