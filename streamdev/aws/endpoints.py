"""Which endpoints count as this machine's own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from streamdev.errors import InvalidInputError

_LOCAL_NAMES = ("localhost", "localhost.localstack.cloud", "host.docker.internal")
_LOCAL_SUFFIXES = (".localhost", ".localhost.localstack.cloud")


def is_local(endpoint_url: str) -> bool:
    """Whether the host of ``endpoint_url`` can only be this machine.

    Loopback addresses, ``localhost`` and names below it, LocalStack's own name for it, and
    Docker's name for the host count; names are not looked up.
    """
    host = (urlsplit(endpoint_url).hostname or "").rstrip(".")
    if host in _LOCAL_NAMES or host.endswith(_LOCAL_SUFFIXES):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def check_endpoint(endpoint_url: str, *, allow_remote: bool) -> str:
    """``endpoint_url`` without a slash at its end, if it may be used.

    Raises:
        InvalidInputError: It is no HTTP URL, or not local and ``allow_remote`` is off.
    """
    try:
        parts = urlsplit(endpoint_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInputError(
            f"{endpoint_url!r} is no endpoint.", hint="Write it like http://127.0.0.1:4566."
        )
    if not (allow_remote or is_local(endpoint_url)):
        raise InvalidInputError(
            f"{endpoint_url} is not on this machine.",
            hint="If that is meant, add --allow-remote-endpoint.",
        )
    return endpoint_url.rstrip("/")
