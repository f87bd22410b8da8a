"""DynamoDB: the real database behind LocalStack's API, started early, its writes known at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamdev.plugins.settings import PluginSettings

if TYPE_CHECKING:
    from streamdev.plugins.dynamodb.changes import Writes
    from streamdev.plugins.dynamodb.server import Database

_database: Database | None = None
_writes: Writes | None = None


def install() -> None:
    """Put our server and our gateway handlers in place and start the database."""
    from localstack.aws import handlers
    from localstack.services.dynamodb.server import DynamodbServer

    from streamdev.plugins import invocations
    from streamdev.plugins.dynamodb import channel
    from streamdev.plugins.dynamodb.changes import Writes
    from streamdev.plugins.dynamodb.gateway import (
        AfterLocalStack,
        BeforeLocalStack,
        PassThrough,
        mend_stream_records,
    )
    from streamdev.plugins.dynamodb.passing import Passing
    from streamdev.plugins.dynamodb.server import Database
    from streamdev.plugins.loops import LoopGuard

    global _database, _writes
    if _database is not None:
        return
    _database = server = Database(PluginSettings.from_environ())
    guard = LoopGuard(server.settings.loop_limit, invocations.request_of_trace)
    _writes = Writes(server.client, guard)
    # Both of LocalStack's providers (tables, streams) take the server from here.
    DynamodbServer.get = staticmethod(lambda: server)
    after = AfterLocalStack(server.client, _writes, server.files)
    passing = Passing(_writes)
    channel.install(server.client.address, passing)
    before = PassThrough(server.client, server.wait_for_dynamodb, passing)
    handlers.preprocess_request.append(before)
    handlers.preprocess_request.append(BeforeLocalStack(_writes))
    handlers.run_custom_response_handlers.append(after)
    handlers.modify_service_response.append("dynamodbstreams", mend_stream_records)
    server.start_in_background()


def uninstall() -> None:
    """End the database."""
    if _database is not None:
        _database.stop_dynamodb()


def database() -> Database:
    """The running database.

    Raises:
        RuntimeError: ``install`` was not called.
    """
    if _database is None:
        raise RuntimeError("streamdev's DynamoDB plugin is not installed")
    return _database


def writes() -> Writes:
    """Where to hear of writes.

    Raises:
        RuntimeError: ``install`` was not called.
    """
    if _writes is None:
        raise RuntimeError("streamdev's DynamoDB plugin is not installed")
    return _writes
