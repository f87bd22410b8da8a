"""A batch in flight while the engine stops can finish: LocalStack answers its handler till then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from localstack.aws.handlers.internal import RuntimeShutdownHandler
from localstack.utils.patch import patch

_drained = threading.Event()


def install() -> None:
    """Keep LocalStack from refusing calls (503) as soon as it is told to stop."""

    @patch(RuntimeShutdownHandler.__call__)
    def answer(fn: Callable[..., None], self: Any, chain: Any, context: Any, response: Any) -> None:
        if _drained.is_set():
            fn(self, chain, context, response)


def end() -> None:
    """Nothing is in flight any more: LocalStack stops as it does without streamdev."""
    _drained.set()
