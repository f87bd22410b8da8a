"""Published versions of functions, the alias that points at one, and its warm environments."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamdev.aws.errors import AwsError, AwsNotFoundError
from streamdev.aws.functions import FunctionSettings, settings_of

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

#: AWS's code where an alias has no provisioned concurrency.
_NONE_PROVISIONED = "ProvisionedConcurrencyConfigNotFoundException"


@dataclass(frozen=True)
class AliasState:
    """An alias as it exists, with what the version it points at was published from.

    Attributes:
        provisioned: How many environments are asked for; ``None`` where none are.
        status: ``IN_PROGRESS``, ``READY`` or ``FAILED``: whether they are there.
    """

    version: str
    code_sha256: str
    settings: FunctionSettings
    provisioned: int | None
    status: str | None
    reason: str | None


class Versions:
    """Publishes versions and keeps an alias on them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def find(self, function: str, alias: str) -> AliasState | None:
        """The alias of the function, or ``None``."""
        client = self._gateway.client("lambda")
        try:
            with self._gateway.errors():
                version = client.get_alias(FunctionName=function, Name=alias)["FunctionVersion"]
                published = client.get_function_configuration(
                    FunctionName=function, Qualifier=version
                )
        except AwsNotFoundError:
            return None
        state = AliasState(
            version, published["CodeSha256"], settings_of(published), None, None, None
        )
        try:
            with self._gateway.errors():
                found = client.get_provisioned_concurrency_config(
                    FunctionName=function, Qualifier=alias
                )
        except AwsError as error:
            if error.code == _NONE_PROVISIONED or isinstance(error, AwsNotFoundError):
                return state
            raise
        return AliasState(
            state.version,
            state.code_sha256,
            state.settings,
            found["RequestedProvisionedConcurrentExecutions"],
            found["Status"],
            found.get("StatusReason"),
        )

    def publish(self, function: str) -> str:
        """Publish the function as it is now; the number of the version."""
        with self._gateway.errors():
            return self._gateway.client("lambda").publish_version(FunctionName=function)["Version"]

    def point(self, function: str, alias: str, version: str) -> None:
        """Point the alias at the version; it is created if it is not there."""
        client = self._gateway.client("lambda")
        try:
            with self._gateway.errors():
                client.update_alias(FunctionName=function, Name=alias, FunctionVersion=version)
        except AwsNotFoundError:
            with self._gateway.errors():
                client.create_alias(FunctionName=function, Name=alias, FunctionVersion=version)

    def delete(self, function: str, version: str) -> None:
        """Delete a published version; nothing happens where it is already gone."""
        with suppress(AwsNotFoundError), self._gateway.errors():
            self._gateway.client("lambda").delete_function(FunctionName=function, Qualifier=version)

    def provision(self, function: str, alias: str, concurrency: int | None) -> None:
        """Keep ``concurrency`` environments of the alias warm; ``None``: none."""
        client = self._gateway.client("lambda")
        with self._gateway.errors():
            if concurrency is None:
                client.delete_provisioned_concurrency_config(FunctionName=function, Qualifier=alias)
            else:
                client.put_provisioned_concurrency_config(
                    FunctionName=function,
                    Qualifier=alias,
                    ProvisionedConcurrentExecutions=concurrency,
                )
