"""An event source mapping of a DynamoDB stream, as pipelines.toml declares it.

Limits and defaults: AWS's *CreateEventSourceMapping* API page and *Lambda parameters for
Amazon DynamoDB event source mappings*. That a batch size over 10 needs a batching window
holds for SQS queues only: for a stream the default is 100 records and no window.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from streamdev.config.base import Model
from streamdev.semantics.filters import InvalidFilterError, compile_filters

StartingPosition = Literal["TRIM_HORIZON", "LATEST"]
MAX_PATTERN_CHARACTERS = 4096


def _parse_pattern(value: Any) -> str:
    """A filter pattern as JSON text, from a TOML table or from JSON text."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"the pattern is no JSON: {error}") from error
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise ValueError(
            f"the pattern has {len(text)} characters, over AWS's {MAX_PATTERN_CHARACTERS}"
        )
    try:
        compile_filters({"Filters": [{"Pattern": text}]})
    except InvalidFilterError as error:
        raise ValueError(error.reason.removeprefix("Filter 1: ")) from error
    return text


FilterPattern = Annotated[
    str,
    BeforeValidator(_parse_pattern),
    WithJsonSchema({"type": ["object", "string"], "examples": [{"eventName": ["INSERT"]}]}),
]


class Destination(Model):
    """Where the description of a batch goes that was given up: exactly one of the three.

    Deploy makes what is named here if it does not exist.
    """

    sqs: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[a-zA-Z0-9_-]+$")] | None = (
        Field(default=None, description="A standard queue, by name.")
    )
    sns: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[a-zA-Z0-9_-]+$")] | None = (
        Field(default=None, description="A standard topic, by name.")
    )
    s3: (
        Annotated[str, Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$")]
        | None
    ) = Field(default=None, description="A bucket, by name.")

    @property
    def service(self) -> Literal["sqs", "sns", "s3"]:
        """Which of the three it is."""
        if self.sqs is not None:
            return "sqs"
        return "sns" if self.sns is not None else "s3"

    @property
    def name(self) -> str:
        """The name of the queue, topic or bucket."""
        return self.sqs or self.sns or self.s3 or ""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.sqs, self.sns, self.s3)) != 1:
            raise ValueError("name one destination: sqs, sns or s3")
        return self


class Mapping(Model):
    """How records travel from the table's stream to the function."""

    batch_size: int = Field(default=100, ge=1, le=10_000, description="Records, at most.")
    starting_position: StartingPosition = Field(description="Where a new mapping begins.")
    maximum_batching_window: int = Field(
        default=0, ge=0, le=300, description="Seconds to gather a batch."
    )
    filter_criteria: tuple[FilterPattern, ...] = Field(
        default=(),
        strict=False,
        max_length=5,
        description="Patterns, as tables or as JSON; a record that matches any is handled.",
    )
    parallelization_factor: int = Field(default=1, ge=1, le=10, description="Batches at a time.")
    tumbling_window: int = Field(default=0, ge=0, le=900, description="Seconds; 0: none.")
    maximum_retry_attempts: int = Field(
        default=-1, ge=-1, le=10_000, description="-1: until the records expire."
    )
    maximum_record_age: int = Field(
        default=-1, ge=-1, le=604_800, description="Seconds, 60 or more; -1: no limit."
    )
    bisect_batch_on_function_error: bool = Field(
        default=False, description="Halve a failed batch before it is tried again."
    )
    report_batch_item_failures: bool = Field(
        default=False, description="FunctionResponseTypes has ReportBatchItemFailures."
    )
    on_failure: Destination | None = Field(
        default=None, description="Where given-up batches are told to."
    )
    enabled: bool = Field(default=True, description="Whether records are read at all.")

    @field_validator("maximum_record_age")
    @classmethod
    def _age_allowed(cls, age: int) -> int:
        if -1 < age < 60:
            raise ValueError(f"{age} is not allowed: AWS takes -1 or 60 to 604800")
        return age
