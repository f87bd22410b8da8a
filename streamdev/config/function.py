"""A Lambda function, as pipelines.toml declares it.

Limits: AWS's *CreateFunction* API page and *Lambda quotas*.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from streamdev.config.base import Model

FunctionName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
Runtime = Literal[
    "python3.8",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
]

MAX_ENVIRONMENT_BYTES = 4096
VariableName = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]+$")]

#: Lambda sets these itself and refuses them (AWS, *Defined runtime environment variables*).
RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)


def allowed_variable(name: str | None) -> str | None:
    """``name``, unless Lambda sets a variable of that name itself (a validator)."""
    if name in RESERVED_VARIABLES:
        raise ValueError(f"Lambda sets {name} itself")
    return name


class Function(Model):
    """The handler of the pipeline and what it runs with.

    ``source`` is an absolute path once loaded; in pipelines.toml it is relative to the file.
    """

    name: FunctionName = Field(default="", description="Default: the pipeline's name.")
    source: Path = Field(strict=False, description="The handler's folder.")
    handler: Annotated[str, Field(max_length=128, pattern=r"^[^\s.]\S*\.[^\s.]+$")] = Field(
        description="MODULE.FUNCTION within the folder."
    )
    runtime: Runtime = Field(description="AWS's name of the Python runtime.")
    timeout: int = Field(default=3, ge=1, le=900, description="Seconds.")
    memory_size: int = Field(default=128, ge=128, le=10240, description="MB.")
    environment: dict[VariableName, str] = Field(
        default_factory=dict, description="Environment variables, 4 KB together."
    )
    tracing_mode: Literal["Active", "PassThrough"] = Field(
        default="PassThrough", description="Whether X-Ray traces the function."
    )
    reserved_concurrency: int | None = Field(
        default=None, ge=0, description="At most so many at a time; default: no limit of its own."
    )
    provisioned_concurrency: int | None = Field(
        default=None, ge=1, description="So many environments are kept warm; default: none."
    )

    @field_validator("source")
    @classmethod
    def _from_project_root(cls, source: Path, info: ValidationInfo) -> Path:
        root: Path | None = (info.context or {}).get("root")
        return source if root is None else (root / source).resolve()

    @model_validator(mode="after")
    def _concurrency_agrees(self) -> Self:
        reserved, provisioned = self.reserved_concurrency, self.provisioned_concurrency
        if reserved is not None and provisioned is not None and provisioned > reserved:
            raise ValueError(
                f"provisioned-concurrency {provisioned} is over reserved-concurrency {reserved}"
            )
        return self

    @model_validator(mode="after")
    def _environment_allowed(self) -> Self:
        reserved = sorted(RESERVED_VARIABLES.intersection(self.environment))
        if reserved:
            raise ValueError(f"environment: Lambda sets {', '.join(reserved)} itself")
        size = sum(
            len(name.encode()) + len(value.encode()) for name, value in self.environment.items()
        )
        if size > MAX_ENVIRONMENT_BYTES:
            raise ValueError(
                f"environment: {size} bytes are more than AWS's {MAX_ENVIRONMENT_BYTES}"
            )
        return self
