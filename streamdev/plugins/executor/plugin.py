"""LocalStack's side of the process executor: what its Lambda service calls."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, cast

from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from streamdev.plugins import log
from streamdev.plugins.executor import adjust, from_localstack, registry, spares, unpack
from streamdev.plugins.executor.environment import Environment
from streamdev.plugins.executor.errors import Failure
from streamdev.plugins.executor.function import (
    NO_TIMEOUT,
    Debugger,
    InitializationType,
    Request,
)
from streamdev.plugins.executor.spares import Contents
from streamdev.plugins.executor.spawn import interpreter_version

LOG = logging.getLogger(__name__)

_PROVISIONED = "provisioned-concurrency"


class ProcessExecutorPlugin(RuntimeExecutorPlugin):  # type: ignore[misc]
    """Registered under the name that ``LAMBDA_RUNTIME_EXECUTOR`` chooses."""

    name = "streamdev-process"

    def load(self, *_args: Any, **_kwargs: Any) -> type[RuntimeExecutor]:
        """The executor's class, as LocalStack expects it."""
        adjust.install()
        return ProcessRuntimeExecutor


class RuntimeNotSupportedError(Exception):
    """The function's runtime is none that the process executor can run."""


class ProcessRuntimeExecutor(RuntimeExecutor):  # type: ignore[misc]
    """Runs a function's handler as a local process.

    Attributes:
        debugger: Set before it is started, where the handler is to be debugged.
        contents: Set before it is started, where a process that waits may be used.
        init_failure: Why init failed, if it did; also the answer to the next invocation.
    """

    debugger: Debugger | None = None
    contents: Contents | None = None

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002
        super().__init__(id=id, function_version=function_version)
        self._environment: Environment | None = None
        self.client_context: str | None = None
        self.init_failure: Failure | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the environment and wait until its handler is loaded.

        A failed init is no error here but the answer to the invocation it was started for, so
        that this has its START and REPORT lines. Provisioned concurrency, for which no one
        waits, is told at once.
        """
        kind = env_vars.get("AWS_LAMBDA_INITIALIZATION_TYPE")
        function, host = from_localstack.function_of(self.function_version), from_localstack.host()
        logs = from_localstack.log_settings(env_vars)
        if self.debugger is not None:
            function = dataclasses.replace(function, timeout=NO_TIMEOUT, debugger=self.debugger)
            host = dataclasses.replace(host, init_timeout=NO_TIMEOUT)
        spare = None if self.contents is None else spares.take(function, host, logs, self.contents)
        if spare is not None:
            self._environment = spare
        else:
            self._environment = Environment(
                function,
                host,
                logs,
                log.output,
                cast(InitializationType, _PROVISIONED if kind == _PROVISIONED else "on-demand"),
            )
            registry.add(self._environment)
        self.init_failure = failure = self._environment.start()
        if failure is not None and kind == _PROVISIONED and adjust.provisioning_can_fail():
            raise StatusErrorException("Environment startup failed", payload=failure.payload)

    def count_init(self) -> None:
        """Have the next invocation be no cold start: the init was before, and nobody waited."""
        if self._environment is not None:
            self._environment.count_init()

    def kill(self) -> None:
        """End the environment now, whatever it does."""
        if self._environment is not None:
            self._environment.kill()

    def stop(self) -> None:
        """End the environment, after the invocation that runs in it if one does."""
        if self._environment is not None:
            self._environment.stop()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one invocation."""
        if self._environment is None:
            raise RuntimeError("the environment was not started")
        result = self._environment.invoke(
            Request(
                request_id=payload["invoke-id"],
                invoked_arn=payload["invoked-function-arn"],
                payload=payload["payload"].encode(),
                trace_id=payload.get("trace-id"),
                client_context=self.client_context,
            )
        )
        return InvocationResult(
            request_id=result.request_id,
            payload=result.payload,
            is_error=result.is_error,
            logs=result.logs,
        )

    def get_logs(self) -> str:
        """Nothing: all output went to the engine's log when it came."""
        return "see the engine's log"

    def get_address(self) -> str:
        """Where LocalStack finds the environment: on this machine."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Where the environment finds LocalStack: on this machine."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """LocalStack's own init process would call this; there is none."""
        return from_localstack.host().endpoint_url

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unzip the function's code and layers and check that its runtime can be run.

        Raises:
            RuntimeNotSupportedError: It is no Python; the function's state becomes Failed
                with this as its reason.
        """
        settings = function_version.config
        name = function_version.id.function_name
        runtime = settings.runtime or "a container image"
        if not runtime.startswith("python"):
            raise RuntimeNotSupportedError(
                f"The runtime of function {name} is {runtime}; the process executor runs Python "
                "only. Run it with LocalStack's Docker executor (STREAMDEV_EXECUTOR=docker)."
            )
        version = ".".join(map(str, interpreter_version(from_localstack.host().python)))
        if runtime != f"python{version}":
            message = (
                f"Function {name} asks for {runtime} and runs with Python {version}, "
                "the interpreter of this engine."
            )
            LOG.warning(message)
            log.emit("runtime.differs", function=name, runtime=runtime, runs=f"python{version}")
        unpack.prepare(settings.code, function_version.id.unqualified_arn())
        for layer in settings.layers or ():
            layer.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing: LocalStack removes the unzipped code itself."""

    @classmethod
    def validate_environment(cls) -> bool:
        """Always fine; without this LocalStack would look for Docker."""
        return True
