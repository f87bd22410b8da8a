"""Event source mappings of DynamoDB streams: at once, complete, and where they stood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamdev.plugins.settings import PluginSettings

if TYPE_CHECKING:
    from streamdev.plugins.mapping.registry import Mappings

# How long the engine waits for batches in flight when it stops.
SHUTDOWN_TIMEOUT = 20.0

_mappings: Mappings | None = None


def install() -> None:
    """Take over the mappings of DynamoDB streams; ``dynamodb.install`` was called before."""
    from streamdev.plugins import dynamodb
    from streamdev.plugins.mapping.overrides import override
    from streamdev.plugins.mapping.registry import Mappings

    global _mappings
    if _mappings is not None:
        return
    settings = PluginSettings.from_environ()
    database = dynamodb.database()
    _mappings = Mappings(
        database.client, dynamodb.writes(), database.wait_for_dynamodb, settings.state_dir
    )
    override(_mappings)
    _mappings.resume()


def uninstall() -> None:
    """End all mappings after what is in flight; positions are kept."""
    if _mappings is not None:
        _mappings.stop(SHUTDOWN_TIMEOUT)


def installed() -> bool:
    """Whether mappings are ours; ``STREAMDEV_MAPPING=localstack`` leaves them to LocalStack."""
    return _mappings is not None


def mappings() -> Mappings:
    """The mappings.

    Raises:
        RuntimeError: ``install`` was not called.
    """
    if _mappings is None:
        raise RuntimeError("streamdev's mapping plugin is not installed")
    return _mappings
