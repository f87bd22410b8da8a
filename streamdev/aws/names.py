"""The account and region of a local engine, and how ARNs are spelled."""

from __future__ import annotations

ACCOUNT_ID = "000000000000"
DEFAULT_REGION = "us-east-1"


def table_arn(table: str, region: str = DEFAULT_REGION) -> str:
    """The ARN of a DynamoDB table."""
    return f"arn:aws:dynamodb:{region}:{ACCOUNT_ID}:table/{table}"


def table_of_stream(stream_arn: str) -> str | None:
    """The table's name in the ARN of its stream, or ``None`` if it is no such ARN."""
    parts = stream_arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "dynamodb":
        return None
    resource = parts[5].split("/")
    return resource[1] if len(resource) >= 4 and resource[2] == "stream" else None


def function_arn(function: str, region: str = DEFAULT_REGION) -> str:
    """The unqualified ARN of a Lambda function."""
    return f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{function}"


def mapping_arn(uuid: str, region: str = DEFAULT_REGION) -> str:
    """The ARN of an event source mapping."""
    return f"arn:aws:lambda:{region}:{ACCOUNT_ID}:event-source-mapping:{uuid}"


def role_arn(role: str) -> str:
    """The ARN of an IAM role (IAM knows no regions)."""
    return f"arn:aws:iam::{ACCOUNT_ID}:role/{role}"


def log_group(function: str) -> str:
    """The CloudWatch log group Lambda writes a function's output to."""
    return f"/aws/lambda/{function}"


def log_group_arn(function: str, region: str = DEFAULT_REGION) -> str:
    """The ARN of a function's log group, without the ``:*`` of its streams."""
    return f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:{log_group(function)}"


def queue_arn(queue: str, region: str = DEFAULT_REGION) -> str:
    """The ARN of an SQS queue."""
    return f"arn:aws:sqs:{region}:{ACCOUNT_ID}:{queue}"


def topic_arn(topic: str, region: str = DEFAULT_REGION) -> str:
    """The ARN of an SNS topic."""
    return f"arn:aws:sns:{region}:{ACCOUNT_ID}:{topic}"


def bucket_arn(bucket: str) -> str:
    """The ARN of an S3 bucket (bucket names are global)."""
    return f"arn:aws:s3:::{bucket}"
