"""A small handler, for the example of a unit test with recorded batches."""

from typing import Any


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Greet everyone; records without a name are reported as failed."""
    failures = []
    for record in event["Records"]:
        person = record["dynamodb"]["NewImage"]
        if "name" in person:
            print(f"Hello {person['name']['S']}, {int(person['age']['N'])}")
        else:
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failures}
