"""What LocalStack knows of a function and of itself, in the executor's own terms."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

from streamdev.plugins.executor.fallback_runtime import link_from_localstack
from streamdev.plugins.executor.function import Function, Host, LogSettings
from streamdev.plugins.settings import PluginSettings


def function_of(version: FunctionVersion) -> Function:
    """The version of a function as the executor knows it."""
    settings, identity = version.config, version.id
    return Function(
        name=identity.function_name,
        qualifier=identity.qualifier,
        account=identity.account,
        region=identity.region,
        handler=settings.handler,
        runtime=settings.runtime,
        memory_mib=settings.memory_size,
        timeout=settings.timeout,
        task_root=Path(settings.code.get_unzipped_code_location()),
        layers=tuple(
            Path(layer.code.get_unzipped_code_location()) for layer in settings.layers or ()
        ),
        environment=dict(settings.environment or {}),
    )


def host() -> Host:
    """Where handlers run."""
    settings = PluginSettings.from_environ()
    # The interpreter that LocalStack's environment was made from, without that environment.
    python = settings.runtime_python or getattr(sys, "_base_executable", None) or sys.executable
    return Host(
        python=python,
        runtime_dir=settings.runtime_dir
        or link_from_localstack(Path(config.dirs.tmp) / "handlers-runtime"),
        endpoint_url=f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}",
        temp_root=Path(config.dirs.tmp) / f"handlers-{settings.engine_id or os.getpid()}",
        engine_id=settings.engine_id,
        own_client=settings.own_runtime_client,
    )


def log_settings(variables: Mapping[str, str]) -> LogSettings:
    """Where an environment logs to, of the variables that LocalStack would give it."""
    return LogSettings(
        variables["AWS_LAMBDA_LOG_GROUP_NAME"],
        variables["AWS_LAMBDA_LOG_STREAM_NAME"],
        variables.get("AWS_LAMBDA_LOG_FORMAT"),
        variables.get("AWS_LAMBDA_LOG_LEVEL"),
    )
