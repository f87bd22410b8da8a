"""Processes that wait for the next edit, kept by the engine while `watch` asks for them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from streamdev.aws.names import ACCOUNT_ID
from streamdev.errors import StreamdevError

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway
    from streamdev.deploy.changes import Change
    from streamdev.deploy.package import Package

# The engine ends a process that nobody asked for in 15 s.
_RENEW_S = 3.0


class Spares:
    """Has a process wait for the next version of each function that is told.

    They only make reloads quicker, so what goes wrong with them is of no interest: an engine
    that is gone, for instance, is told elsewhere.

    Args:
        gateway: The engine.
        stop: When set, they are no longer asked for.
    """

    def __init__(self, gateway: Gateway, stop: threading.Event) -> None:
        self._gateway = gateway
        self._stop = stop
        self._packages: dict[str, Package] = {}

    def start(self) -> None:
        """Ask for them now and again and again, from a thread."""
        threading.Thread(target=self._run, daemon=True).start()

    def deployed(self, changes: Iterable[Change]) -> None:
        """Take note of the packages that functions have now.

        Those with provisioned concurrency have their own way of being ready.
        """
        from streamdev.deploy.resources import FunctionResource

        packages = dict(self._packages)
        for function in (change.resource for change in changes):
            if isinstance(function, FunctionResource):
                packages.pop(function.name, None)
                if function.package and function.provisioned_concurrency is None:
                    packages[function.name] = function.package
        self._packages = packages

    def renew(self) -> None:
        """Ask for them."""
        for name, package in self._packages.items():
            with suppress(StreamdevError):
                self._gateway.control.spare(
                    name,
                    account=ACCOUNT_ID,
                    region=self._gateway.region,
                    contents=package.contents,
                )

    def _run(self) -> None:
        while True:
            self.renew()
            if self._stop.wait(_RENEW_S):
                return
