"""Remembers the newest version of each profile that was told of, so that no older one is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from profiles import Change

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Longer than a record can come late: 24 hours in the stream, 14 days in a queue.
KEPT_S = 30 * 86_400

# AWS's sequence numbers have up to 40 digits; padded, they compare as text.
_DIGITS = 40


class Versions:
    """A table with an item for each profile.

    Args:
        client: boto3's client of DynamoDB.
        table: The table's name; its key is ``id``.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def claim(self, change: Change) -> bool:
        """Note that ``change`` is the newest of its profile; ``False`` if a newer one was.

        Versions decide where both changes have one, else the sequence numbers do. Claiming the
        same change again succeeds, so that it can be retried. A deletion ends the count: who
        makes the profile anew may begin with version 1.
        """
        values: dict[str, Any] = {
            ":sequence": {"S": change.sequence_number.zfill(_DIGITS)},
            ":expires": {"N": str(int(time.time()) + KEPT_S)},
        }
        update = "SET #sequence = :sequence, #expires = :expires"
        in_order = "attribute_not_exists(#sequence) OR #sequence <= :sequence"
        names = {"#sequence": "sequence", "#expires": "expires", "#version": "version"}
        if change.kind == "deleted":
            update += " REMOVE #version"
        elif change.version is None:
            del names["#version"]
        else:
            values[":version"] = {"N": str(change.version)}
            update += ", #version = :version"
            in_order = (
                f"(attribute_not_exists(#version) AND ({in_order})) OR #version < :version "
                "OR (#version = :version AND #sequence <= :sequence)"
            )
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"id": {"S": change.profile_id}},
                UpdateExpression=update,
                ConditionExpression=in_order,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True
