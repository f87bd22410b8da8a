"""The services every deploy needs, loaded while the database still starts."""

from __future__ import annotations

import gc
import logging
import threading

LOG = logging.getLogger(__name__)

# In the order a deploy asks for them. LocalStack loads a service at its first call, which
# takes up to a second each; S3 is where it keeps the functions' code.
SERVICES = ("lambda", "iam", "dynamodb", "s3", "apigateway")


def install() -> None:
    """Begin to load them; a call that comes meanwhile waits for its service as it always does."""
    threading.Thread(target=_load, name="streamdev-preload", daemon=True).start()


def _load() -> None:
    try:
        _load_services()
    finally:
        # No later collection looks at what is loaded for good, so none makes a record wait.
        gc.freeze()
        gc.enable()


def _load_services() -> None:
    from localstack.services.plugins import SERVICE_PLUGINS, ServiceDisabled

    for name in SERVICES:
        try:
            SERVICE_PLUGINS.require(name)
        except ServiceDisabled:
            LOG.debug("%s is left out by SERVICES", name)
        except Exception:
            # The first call to it will fail as well, and say so to whoever made it.
            LOG.exception("Could not load %s", name)
