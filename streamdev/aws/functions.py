"""Lambda functions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from streamdev.aws.errors import AwsError, AwsNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import (
        FunctionConfigurationResponseTypeDef,
        FunctionConfigurationTypeDef,
    )

    from streamdev.aws.gateway import Gateway


@dataclass(frozen=True)
class FunctionSettings:
    """What a function runs with, code and concurrency apart.

    Attributes:
        timeout: Seconds.
        memory_size: MB.
    """

    runtime: str
    handler: str
    role: str
    timeout: int
    memory_size: int
    environment: Mapping[str, str]
    tracing_mode: str = "PassThrough"


@dataclass(frozen=True)
class Answer:
    """What an invocation answered.

    Attributes:
        payload: JSON, which is the error where it failed.
        tail: The last 4 KB of what it printed, with the REPORT line.
    """

    payload: bytes
    failed: bool
    request_id: str
    tail: bytes


@dataclass(frozen=True)
class FunctionState:
    """A function as it exists.

    Attributes:
        code_sha256: Base64 of the SHA-256 of its zip, as AWS computes it.
        state: ``Pending``, ``Active``, ``Inactive`` or ``Failed``.
        update: ``InProgress``, ``Successful`` or ``Failed``: how the last update went.
        reason: Why ``state`` or ``update`` is what it is, where AWS says so.
    """

    name: str
    arn: str
    settings: FunctionSettings
    code_sha256: str
    state: str
    update: str
    reason: str | None
    reserved_concurrency: int | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class FunctionProgress:
    """How far a function is with its last change; fields as of `FunctionState`."""

    arn: str
    state: str
    update: str
    reason: str | None

    @property
    def ready(self) -> bool:
        """Whether it can be invoked as last changed."""
        return self.state == "Active" and self.update == "Successful"

    @property
    def failed(self) -> bool:
        """Whether it will not become ready by waiting."""
        return "Failed" in (self.state, self.update)


class Functions:
    """Looks up, creates and changes functions. Changes return before they are done."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def find(self, name: str) -> FunctionState | None:
        """The function called ``name``, or ``None``."""
        try:
            with self._gateway.errors():
                response = self._gateway.client("lambda").get_function(FunctionName=name)
        except AwsNotFoundError:
            return None
        concurrency = response.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        if concurrency is None:
            concurrency = self._reserved(name)
        return _state(response["Configuration"], concurrency, response.get("Tags", {}))

    def progress(self, name: str) -> FunctionProgress | None:
        """How far the function called ``name`` is, or ``None``: cheaper than `find`."""
        try:
            with self._gateway.errors():
                client = self._gateway.client("lambda")
                configuration = client.get_function_configuration(FunctionName=name)
        except AwsNotFoundError:
            return None
        return _progress(configuration)

    def _reserved(self, name: str) -> int | None:
        """The reserved concurrency, asked by itself: LocalStack's GetFunction leaves a 0 out."""
        try:
            with self._gateway.errors():
                client = self._gateway.client("lambda")
                response = client.get_function_concurrency(FunctionName=name)
        except AwsError:
            return None  # an emulator that has no such call, or the function is gone
        return response.get("ReservedConcurrentExecutions")

    def names(self) -> list[str]:
        """The names of all functions."""
        with self._gateway.errors():
            pages = self._gateway.client("lambda").get_paginator("list_functions").paginate()
            return [function["FunctionName"] for page in pages for function in page["Functions"]]

    def create(
        self, name: str, settings: FunctionSettings, code: bytes, tags: Mapping[str, str]
    ) -> None:
        """Create a function from the bytes of its zip."""
        with self._gateway.errors():
            self._gateway.client("lambda").create_function(
                FunctionName=name, Code={"ZipFile": code}, Tags=tags, **_request(settings)
            )

    def update_code(self, name: str, code: bytes) -> None:
        """Give the function another zip."""
        with self._gateway.errors():
            self._gateway.client("lambda").update_function_code(FunctionName=name, ZipFile=code)

    def update_settings(self, name: str, settings: FunctionSettings) -> None:
        """Give the function other settings."""
        with self._gateway.errors():
            self._gateway.client("lambda").update_function_configuration(
                FunctionName=name, **_request(settings)
            )

    def reserve(self, name: str, concurrency: int | None) -> None:
        """Limit the function to ``concurrency`` invocations at a time; ``None``: no limit."""
        client = self._gateway.client("lambda")
        with self._gateway.errors():
            if concurrency is None:
                client.delete_function_concurrency(FunctionName=name)
            else:
                client.put_function_concurrency(
                    FunctionName=name, ReservedConcurrentExecutions=concurrency
                )

    def invoke(self, function: str, payload: bytes, *, timeout_s: float) -> Answer:
        """Run the function once and wait for it; a failed call is never repeated.

        Args:
            function: Its name or ARN, with a qualifier or without.
            payload: The event as JSON.
            timeout_s: How long to wait.

        Raises:
            TimedOutError: It did not answer in time.
        """
        client = self._gateway.patient_client("lambda", timeout_s)
        with self._gateway.errors():
            response = client.invoke(FunctionName=function, Payload=payload, LogType="Tail")
            return Answer(
                response["Payload"].read(),
                "FunctionError" in response,
                response["ResponseMetadata"].get("RequestId", ""),
                base64.b64decode(response.get("LogResult", "")),
            )

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to the function with this ARN."""
        with self._gateway.errors():
            self._gateway.client("lambda").tag_resource(Resource=arn, Tags=tags)

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of the function with this ARN; none where it is gone by now."""
        try:
            with self._gateway.errors():
                response = self._gateway.client("lambda").list_tags(Resource=arn)
        except AwsNotFoundError:
            return {}
        return dict(response.get("Tags", {}))

    def delete(self, name: str) -> None:
        """Delete the function with all its versions."""
        with self._gateway.errors():
            self._gateway.client("lambda").delete_function(FunctionName=name)


def settings_of(
    configuration: FunctionConfigurationTypeDef | FunctionConfigurationResponseTypeDef,
) -> FunctionSettings:
    """The settings in an answer of Lambda's API."""
    return FunctionSettings(
        runtime=configuration.get("Runtime", ""),
        handler=configuration.get("Handler", ""),
        role=configuration["Role"],
        timeout=configuration["Timeout"],
        memory_size=configuration["MemorySize"],
        environment=dict(configuration.get("Environment", {}).get("Variables", {})),
        tracing_mode=configuration.get("TracingConfig", {}).get("Mode", "PassThrough"),
    )


def _request(settings: FunctionSettings) -> dict[str, Any]:
    return {
        "Runtime": cast(Any, settings.runtime),
        "Handler": settings.handler,
        "Role": settings.role,
        "Timeout": settings.timeout,
        "MemorySize": settings.memory_size,
        "Environment": {"Variables": dict(settings.environment)},
        "TracingConfig": {"Mode": settings.tracing_mode},
    }


def _state(
    configuration: FunctionConfigurationTypeDef,
    concurrency: int | None,
    tags: Mapping[str, str],
) -> FunctionState:
    progress = _progress(configuration)
    return FunctionState(
        name=configuration["FunctionName"],
        arn=progress.arn,
        settings=settings_of(configuration),
        code_sha256=configuration["CodeSha256"],
        state=progress.state,
        update=progress.update,
        reason=progress.reason,
        reserved_concurrency=concurrency,
        tags=tags,
    )


def _progress(
    configuration: FunctionConfigurationTypeDef | FunctionConfigurationResponseTypeDef,
) -> FunctionProgress:
    # Emulators other than LocalStack may leave these out: what exists is then ready.
    return FunctionProgress(
        arn=configuration["FunctionArn"],
        state=configuration.get("State", "Active"),
        update=configuration.get("LastUpdateStatus", "Successful"),
        reason=configuration.get("StateReason") or configuration.get("LastUpdateStatusReason"),
    )
