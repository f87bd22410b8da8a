"""Which regions AWS has."""

from __future__ import annotations

from functools import cache

# What LocalStack takes as well (its modules ``services.stores`` and ``utils.aws.aws_stack``).
_PARTITIONS = ("aws", "aws-cn", "aws-us-gov")


@cache
def known_regions() -> frozenset[str]:
    """The names of the regions that have DynamoDB, as botocore lists them."""
    from botocore.loaders import Loader
    from botocore.regions import EndpointResolver

    resolver = EndpointResolver(Loader().load_data("endpoints"))
    return frozenset(
        region
        for partition in _PARTITIONS
        for region in resolver.get_available_endpoints("dynamodb", partition)
    )
