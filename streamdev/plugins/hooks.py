"""LocalStack's entry into streamdev: what is put in place when it starts, in order."""

from __future__ import annotations

import gc

from localstack.runtime import hooks


@hooks.on_infra_start(priority=100)
def start() -> None:
    """Put streamdev's parts in place before LocalStack's services load."""
    # What is loaded now stays; to look through it for garbage again and again takes a sixth of
    # a start. `preload` turns it on again.
    gc.disable()
    from streamdev.plugins import (
        alterations,
        bookkeeping,
        control,
        drain,
        dynamodb,
        invocations,
        listen,
        loading,
        log,
        mapping,
        routing,
    )
    from streamdev.plugins.settings import PluginSettings

    routing.install()
    log.install()
    alterations.install()
    listen.install()
    loading.install()
    dynamodb.install()
    invocations.install()
    bookkeeping.install()
    if PluginSettings.from_environ().own_mapping:
        mapping.install()
        drain.install()
    control.install()


@hooks.on_infra_ready()
def ready() -> None:
    """Use the time until the database is up."""
    from streamdev.plugins import preload

    preload.install()


@hooks.on_infra_shutdown(priority=100)
def stop() -> None:
    """End what streamdev started, mappings first so that no batch is cut."""
    from streamdev.plugins import drain, dynamodb, mapping
    from streamdev.plugins.executor import registry

    mapping.uninstall()
    drain.end()
    registry.end_all()
    dynamodb.uninstall()
