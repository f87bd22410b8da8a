"""What LocalStack's Lambda service does differently with the process executor."""

from __future__ import annotations

import base64
import contextlib
import json
import resource
from functools import cache
from inspect import signature
from typing import Any

from localstack.services.lambda_ import provider
from localstack.services.lambda_.invocation import lambda_service
from localstack.services.lambda_.invocation.counting_service import CountingService
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.lambda_models import S3Code
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.lambda_utils import HINT_LOG
from localstack.utils.patch import Patch, create_patch_proxy, patch

from streamdev.plugins.executor import archives, debugging, warm

_FILES = 16_384


@cache
def install() -> None:
    """Make the changes, once."""
    patch(ExecutionEnvironment.get_credentials)(_dummy_credentials)
    patch(ExecutionEnvironment.invoke)(_pass_on_client_context)
    patch(LambdaService.stop_version)(_stop_version)
    patch(LambdaService.update_version)(_update_version)
    storing = create_patch_proxy(lambda_service.store_lambda_archive, archives.store)
    for module in (lambda_service, provider):
        Patch(module, "store_lambda_archive", storing).apply()
    patch(S3Code._download_archive_to_file)(archives.download)
    warm.install()
    debugging.install()
    # Each handler takes four file descriptors here; many systems give a process 1,024.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    # A function that could not be created is no reason to ask for Docker here.
    HINT_LOG.addFilter(lambda record: "Docker" not in record.getMessage())


@cache
def provisioning_can_fail() -> bool:
    """Whether LocalStack goes on without provisioned environments that failed (not 4.7.0)."""
    return "provisioned_state" in signature(CountingService.get_invocation_lease).parameters


def _dummy_credentials(_fn: Any, _self: Any) -> dict[str, str]:
    """What handlers get anyway, without a role session of STS.

    Asking for one at every cold start would load that service, and takes longer than starting
    the handler.
    """
    return {"AccessKeyId": "test", "SecretAccessKey": "test", "SessionToken": "test"}


def _pass_on_client_context(fn: Any, self: Any, invocation: Any) -> Any:
    """Give the runtime the caller's client context, which LocalStack drops.

    The API has it as base64 of JSON, the Runtime API as JSON.
    """
    context = None
    if invocation.client_context:
        with contextlib.suppress(ValueError):
            context = json.dumps(json.loads(base64.b64decode(invocation.client_context)))
    self.runtime_executor.client_context = context
    return fn(self, invocation)


def _stop_version(fn: Any, self: Any, qualified_arn: str) -> None:
    """Let a function be deleted whose version never became active; LocalStack fails there."""
    known = self.lambda_running_versions, self.lambda_starting_versions
    if any(qualified_arn in versions for versions in known):
        fn(self, qualified_arn)


def _update_version(fn: Any, self: Any, new_version: Any) -> Any:
    """Let such a function be put right by an update, as on AWS; LocalStack fails there too."""
    if new_version.qualified_arn in self.lambda_running_versions:
        return fn(self, new_version)
    return self.create_function_version(function_version=new_version)
