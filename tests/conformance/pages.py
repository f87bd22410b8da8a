"""The pages of AWS's documentation that the behaviours come from: title and address."""

from __future__ import annotations

from typing import NamedTuple

_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/"
_LAMBDA_API = "https://docs.aws.amazon.com/lambda/latest/api/"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
_STREAMS_API = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/"


class Page(NamedTuple):
    """A page: its title and its address."""

    title: str
    url: str


USING = Page("Using AWS Lambda with Amazon DynamoDB", _LAMBDA + "with-ddb.html")
PROCESS = Page(
    "Process DynamoDB records with Lambda", _LAMBDA + "services-dynamodb-eventsourcemapping.html"
)
PARTIAL = Page(
    "Configuring partial batch response with DynamoDB and Lambda",
    _LAMBDA + "services-ddb-batchfailurereporting.html",
)
ERRORS = Page(
    "Retain discarded records for a DynamoDB event source in Lambda",
    _LAMBDA + "services-dynamodb-errors.html",
)
WINDOWS = Page(
    "Implementing stateful DynamoDB stream processing in Lambda",
    _LAMBDA + "services-ddb-windows.html",
)
PARAMETERS = Page(
    "Lambda parameters for Amazon DynamoDB event source mappings",
    _LAMBDA + "services-ddb-params.html",
)
FILTERING = Page(
    "Control which events Lambda sends to your function",
    _LAMBDA + "invocation-eventfiltering.html",
)
FILTERING_DYNAMODB = Page(
    "Using event filtering with a DynamoDB event source", _LAMBDA + "with-ddb-filtering.html"
)
MAPPINGS = Page(
    "How Lambda processes records from stream and queue-based event sources",
    _LAMBDA + "invocation-eventsourcemapping.html",
)
RESERVED = Page(
    "Configuring reserved concurrency for a function",
    _LAMBDA + "configuration-concurrency.html",
)
PROVISIONED = Page(
    "Configuring provisioned concurrency for a function",
    _LAMBDA + "provisioned-concurrency.html",
)
CREATE = Page("CreateEventSourceMapping", _LAMBDA_API + "API_CreateEventSourceMapping.html")
UPDATE = Page("UpdateEventSourceMapping", _LAMBDA_API + "API_UpdateEventSourceMapping.html")
DELETE = Page("DeleteEventSourceMapping", _LAMBDA_API + "API_DeleteEventSourceMapping.html")
LIST = Page("ListEventSourceMappings", _LAMBDA_API + "API_ListEventSourceMappings.html")
CONFIGURATION = Page(
    "EventSourceMappingConfiguration", _LAMBDA_API + "API_EventSourceMappingConfiguration.html"
)
STREAMS = Page("Change data capture for DynamoDB Streams", _DYNAMODB + "Streams.html")
TTL = Page("DynamoDB Streams and Time to Live", _DYNAMODB + "time-to-live-ttl-streams.html")
RECORD = Page("Record", _STREAMS_API + "API_streams_Record.html")
STREAM_RECORD = Page("StreamRecord", _STREAMS_API + "API_streams_StreamRecord.html")
