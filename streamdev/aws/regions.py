"""Which regions there are to work in."""

from __future__ import annotations

from functools import cache


@cache
def known_regions() -> frozenset[str]:
    """The names of the regions that have DynamoDB, as botocore lists them.

    LocalStack refuses others (its module ``services.stores``). Those of China and GovCloud are
    left out: they are other partitions, in which ARNs are spelled otherwise (``aws.names``).
    """
    from botocore.loaders import Loader
    from botocore.regions import EndpointResolver

    resolver = EndpointResolver(Loader().load_data("endpoints"))
    return frozenset(resolver.get_available_endpoints("dynamodb", "aws"))
