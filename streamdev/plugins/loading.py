"""LocalStack's services: there for every call as soon as they are for the first."""

from __future__ import annotations

from typing import Any

from localstack.aws.handlers.service_plugin import ServiceLoader
from localstack.utils.patch import patch


def install() -> None:
    """Let a call that comes while its service is made known wait until that is done."""
    patch(ServiceLoader.require_service)(_require_service)


def _require_service(fn: Any, self: Any, chain: Any, context: Any, response: Any) -> None:
    """Load a service, and return when its operations are known.

    LocalStack calls it loaded a moment before (4.7.0 and 4.14.0): of the first calls of a
    service, made at once, one was answered with "no handler for operation". It makes them known
    under the service's lock.
    """
    fn(self, chain, context, response)
    if context.service:
        with self.service_locks[context.service.service_name]:
            return
