"""The one place that talks to AWS's API: clients for a local engine, and nothing else.

Credentials are the dummy ones LocalStack expects and the user's own AWS configuration
(files, profiles, ``AWS_...`` variables, proxies) is not looked at, so no call can reach a
real account by accident.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

from streamdev.aws.endpoints import check_endpoint
from streamdev.aws.errors import translated
from streamdev.aws.names import DEFAULT_REGION
from streamdev.semantics.deployer import DEPLOYER_HEADER

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

    from streamdev.aws.apis import Apis
    from streamdev.aws.control import Control
    from streamdev.aws.destinations import Destinations
    from streamdev.aws.functions import Functions
    from streamdev.aws.items import Items
    from streamdev.aws.mappings import Mappings
    from streamdev.aws.queues import Queues
    from streamdev.aws.roles import Roles
    from streamdev.aws.streams import Streams
    from streamdev.aws.tables import Tables
    from streamdev.aws.topics import Topics
    from streamdev.aws.versions import Versions

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 60
ATTEMPTS = 3
CONNECTIONS = 32


class Gateway:
    """AWS's API of one engine, by areas whose methods are named by intent.

    Thread-safe; a client is made when it is first needed. Methods of the areas raise what
    ``streamdev.aws.errors.translated`` lists.

    Args:
        endpoint_url: Where the engine's AWS API answers, e.g. ``http://127.0.0.1:4566``.
        region: The AWS region of every call.
        allow_remote: Take an endpoint that is not on this machine.

    Raises:
        InvalidInputError: The endpoint is no URL, or remote and ``allow_remote`` is off.
    """

    def __init__(
        self, endpoint_url: str, region: str = DEFAULT_REGION, allow_remote: bool = False
    ) -> None:
        self.endpoint_url = check_endpoint(endpoint_url, allow_remote=allow_remote)
        self.region = region
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._deployer: str | None = None

    @overload
    def client(self, service: Literal["apigateway"]) -> APIGatewayClient: ...
    @overload
    def client(self, service: Literal["dynamodb"]) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["dynamodbstreams"]) -> DynamoDBStreamsClient: ...
    @overload
    def client(self, service: Literal["iam"]) -> IAMClient: ...
    @overload
    def client(self, service: Literal["lambda"]) -> LambdaClient: ...
    @overload
    def client(self, service: Literal["logs"]) -> CloudWatchLogsClient: ...
    @overload
    def client(self, service: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, service: Literal["sns"]) -> SNSClient: ...
    @overload
    def client(self, service: Literal["sqs"]) -> SQSClient: ...

    def client(self, service: str) -> Any:
        """The client of ``service`` as boto3 has it; it raises botocore's errors."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service, READ_TIMEOUT_S, ATTEMPTS)
            return self._clients[service]

    def patient_client(self, service: Literal["lambda"], seconds: float) -> LambdaClient:
        """A client whose calls may take ``seconds`` and are never made twice."""
        client: LambdaClient = self._make(service, seconds, 1)
        return client

    def _make(self, service: str, read_timeout: float, attempts: int) -> Any:
        from botocore.config import Config

        client = self._session.create_client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=read_timeout,
                retries={"mode": "standard", "total_max_attempts": attempts},
                max_pool_connections=CONNECTIONS,
                proxies={},
                s3={"addressing_style": "path"},
            ),
        )
        client.meta.events.register("before-call", self._mark)
        return client

    def _mark(self, params: dict[str, Any], **_: Any) -> None:
        if self._deployer:
            params["headers"][DEPLOYER_HEADER] = self._deployer

    @contextmanager
    def deploying(self, owner: str) -> Iterator[None]:
        """A block whose calls are the deploy's of ``owner`` (see `Control.configure`)."""
        self._deployer = owner
        try:
            yield
        finally:
            self._deployer = None

    def errors(self) -> AbstractContextManager[None]:
        """A block whose botocore errors are raised as streamdev's."""
        return translated(self.endpoint_url)

    @cached_property
    def _session(self) -> Session:
        import botocore.session  # 0.2 s, which a command that calls nothing need not wait

        # boto3's clients are botocore's; loading boto3 on top costs a command 0.1 s and more.
        session = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        session.set_credentials("test", "test")
        return session

    @cached_property
    def tables(self) -> Tables:
        """Tables and their streams."""
        from streamdev.aws.tables import Tables

        return Tables(self)

    @cached_property
    def items(self) -> Items:
        """Items, in DynamoDB JSON."""
        from streamdev.aws.items import Items

        return Items(self)

    @cached_property
    def functions(self) -> Functions:
        """Lambda functions."""
        from streamdev.aws.functions import Functions

        return Functions(self)

    @cached_property
    def versions(self) -> Versions:
        """Published versions of functions and their aliases."""
        from streamdev.aws.versions import Versions

        return Versions(self)

    @cached_property
    def mappings(self) -> Mappings:
        """Event source mappings."""
        from streamdev.aws.mappings import Mappings

        return Mappings(self)

    @cached_property
    def roles(self) -> Roles:
        """IAM roles."""
        from streamdev.aws.roles import Roles

        return Roles(self)

    @cached_property
    def destinations(self) -> Destinations:
        """Queues, topics and buckets that failed batches go to."""
        from streamdev.aws.destinations import Destinations

        return Destinations(self)

    @cached_property
    def topics(self) -> Topics:
        """Subscriptions of queues to topics."""
        from streamdev.aws.topics import Topics

        return Topics(self)

    @cached_property
    def apis(self) -> Apis:
        """REST APIs."""
        from streamdev.aws.apis import Apis

        return Apis(self)

    @cached_property
    def queues(self) -> Queues:
        """Messages of queues."""
        from streamdev.aws.queues import Queues

        return Queues(self)

    @cached_property
    def streams(self) -> Streams:
        """Records of streams."""
        from streamdev.aws.streams import Streams

        return Streams(self)

    @cached_property
    def control(self) -> Control:
        """What streamdev's plugins inside the engine answer (no AWS API)."""
        from streamdev.aws.control import Control

        return Control(self.endpoint_url)
