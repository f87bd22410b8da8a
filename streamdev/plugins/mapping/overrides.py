"""The one place where LocalStack's event source mappings are changed.

LocalStack's provider asks ``EsmWorkerFactory.get_esm_worker`` for a worker per mapping; for
DynamoDB streams it gets ours. What a request may hold is checked by ``validate_event_source_
mapping``, to which AWS's remaining rules are added. Both are the same in 4.7.0 and 4.14.0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from localstack.aws.api import CommonServiceException
from localstack.aws.api.lambda_ import InvalidParameterValueException
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.provider import LambdaProvider
from localstack.utils.patch import patch

from streamdev.plugins.mapping.registry import Mappings
from streamdev.semantics.filters import InvalidFilterError, compile_filters
from streamdev.semantics.settings import InvalidSettingError, MappingSettings

LOG = logging.getLogger(__name__)


def override(mappings: Mappings) -> None:
    """Put ``mappings`` in place of LocalStack's own for DynamoDB streams."""

    @patch(LambdaProvider.__init__)
    def keep_provider(fn: Callable[..., None], self: Any) -> None:
        fn(self)
        mappings.provider = self

    @patch(EsmWorkerFactory.get_esm_worker)
    def get_esm_worker(fn: Callable[..., Any], self: Any) -> Any:
        if not _is_dynamodb(self.esm_config.get("EventSourceArn")):
            return fn(self)
        return mappings.worker_for(self.esm_config, enabled=self.enabled)

    @patch(LambdaProvider.validate_event_source_mapping)
    def validate_event_source_mapping(
        fn: Callable[..., Any], self: Any, context: Any, request: dict[str, Any]
    ) -> Any:
        if not _is_dynamodb(request.get("EventSourceArn")):
            return fn(self, context, request)
        _check(request)
        # Ours knows all of AWS's filter operators, LocalStack's check does not.
        plain = {name: value for name, value in request.items() if name != "FilterCriteria"}
        return fn(self, context, plain)

    @patch(LambdaService.update_version)
    def update_version(fn: Callable[..., Any], self: Any, new_version: Any) -> Any:
        future = fn(self, new_version)
        arn = new_version.id.unqualified_arn()
        future.add_done_callback(lambda _: mappings.function_changed(arn))
        return future

    @patch(LambdaService.update_alias)
    def update_alias(
        fn: Callable[..., Any], self: Any, old_alias: Any, new_alias: Any, function: Any
    ) -> Any:
        updated = fn(self, old_alias=old_alias, new_alias=new_alias, function=function)
        mappings.function_changed(function.latest().id.unqualified_arn())
        return updated


def _is_dynamodb(arn: str | None) -> bool:
    return bool(arn) and str(arn).split(":")[2] == "dynamodb"


def _check(request: dict[str, Any]) -> None:
    try:
        MappingSettings.from_configuration(request)
        compile_filters(request.get("FilterCriteria"))
    except InvalidFilterError as error:
        LOG.info("a filter was refused: %s", error.reason)
        raise InvalidParameterValueException(error.message, Type="User") from error
    except InvalidSettingError as error:
        if error.validation:
            raise CommonServiceException("ValidationException", error.message) from error
        raise InvalidParameterValueException(error.message, Type="User") from error
