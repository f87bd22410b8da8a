"""Tables as TOML text; the standard library reads TOML and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def section(header: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A table of TOML: its own keys first, then the tables below it."""
    below = {key: value for key, value in values.items() if _is_table(value)}
    own = {key: value for key, value in values.items() if key not in below}
    if own:
        yield f"[{header}]"
        yield from (f"{_key(key)} = {_value(value)}" for key, value in own.items())
        yield ""
    for key, value in below.items():
        if isinstance(value, Mapping):
            yield from section(f"{header}.{_key(key)}", value)
            continue
        for one in value:
            yield f"[[{header}.{_key(key)}]]"
            yield from (f"{_key(name)} = {_value(part)}" for name, part in one.items())
            yield ""


def _is_table(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], Mapping)
    return isinstance(value, Mapping) and len(value) > 1


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) else _value(key)


def _value(value: Any) -> str:
    """A value of TOML; a JSON string is one of TOML's basic strings, but for DEL."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
