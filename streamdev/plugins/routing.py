"""Routes of LocalStack's gateway, without what nobody uses of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing.rules import Rule


def install() -> None:
    """Compile a rule's functions that build URLs when one is called for.

    With each new route LocalStack's router makes all that there are anew
    (``rolo.routing.router.Router.add``), and werkzeug compiles two functions for each of them.
    That is a fifth of LocalStack's start, and it never builds a URL from a rule.
    """
    compile_builder = Rule._compile_builder

    def compile_when_called(_rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        def build(rule: Rule, **values: Any) -> Any:
            return compile_builder(rule, append_unknown)(rule, **values)

        return build

    Rule._compile_builder = compile_when_called
