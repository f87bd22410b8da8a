"""pydantic's validation errors in our words: short, with AWS's limit and the nearest key."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from streamdev.config.base import Model, kebab

_TYPES = {
    "int_type": "a whole number",
    "string_type": "a string",
    "bool_type": "true or false",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "tuple_type": "a list",
    "path_type": "a path, as a string",
}

#: What the patterns of names mean.
_PATTERNS = {
    r"^[a-zA-Z0-9_.-]+$": "letters, digits, '_', '.' and '-'",
    r"^[a-zA-Z0-9_-]+$": "letters, digits, '_' and '-'",
    r"^[a-zA-Z][a-zA-Z0-9_]+$": "a letter, then letters, digits and '_', two or more in all",
    r"^[^\s.]\S*\.[^\s.]+$": "MODULE.FUNCTION, such as handler.lambda_handler",
    r"^(/([a-zA-Z0-9._~:-]+|\{[a-zA-Z0-9_]+\}))+$": "a path such as /requests/{id}",
    r"^dynamodb:[A-Z][A-Za-z]+$": "an action such as dynamodb:UpdateItem, without wildcards",
    r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$": "lower-case letters, digits, '.' and '-'",
}


def explain(
    error: ValidationError, model: type[BaseModel]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """For each problem in ``error`` the path of the key and what is wrong with it."""
    found = [
        (tuple(part for part in detail["loc"] if part != "[key]"), detail)
        for detail in error.errors(include_url=False)
    ]
    for path, detail in found:
        # A list whose entries are wrong counts as too short as well, which nobody wants to know.
        inner = any(len(other) > len(path) and other[: len(path)] == path for other, _ in found)
        if not (detail["type"] == "too_short" and inner):
            yield path, _message(detail, path, model)


def _message(detail: ErrorDetails, path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return _unknown_key(str(path[-1]), known_keys(model, path[:-1]))
        case "missing":
            return "is missing"
        case "less_than_equal":
            return f"{value} is over AWS's limit of {context['le']}"
        case "greater_than_equal":
            return f"{value} is under AWS's least of {context['ge']}"
        case "literal_error":
            return _not_one_of(value, str(context["expected"]))
        case "string_too_short" | "string_too_long":
            limit = context.get("min_length", context.get("max_length"))
            word = "least" if kind == "string_too_short" else "most"
            return f"{value!r} has {len(value)} characters; AWS takes at {word} {limit}"
        case "string_pattern_mismatch":
            words = _PATTERNS.get(context["pattern"], f"what matches {context['pattern']}")
            return f"{value!r} is not allowed; AWS takes {words}"
        case "too_long":
            return (
                f"has {context['actual_length']} entries; AWS takes at most {context['max_length']}"
            )
        case "too_short":
            return f"has {context['actual_length']} entries; AWS needs {context['min_length']}"
        case "value_error":
            return str(context["error"])
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}, not {value!r}"
    return detail["msg"]


def _unknown_key(key: str, known: list[str]) -> str:
    close = _near(key, known)
    return (
        f"unknown key; did you mean {close!r}?"
        if close
        else f"unknown key; known: {', '.join(known)}"
    )


def _not_one_of(value: object, expected: str) -> str:
    options = [option.strip(" '") for option in expected.replace(" or ", ", ").split(",")]
    close = _near(str(value), options)
    return f"{value!r} is none of {', '.join(options)}" + (
        f"; did you mean {close!r}?" if close else ""
    )


def _near(word: str, known: list[str]) -> str | None:
    from streamdev.config.models import nearest

    begun = [key for key in known if len(word) > 2 and key.startswith(kebab(word).lower())]
    return (
        nearest(kebab(word).lower(), known)
        or (begun[0] if begun else None)
        or nearest(word, known)
        or nearest(word.upper(), known)
    )


def known_keys(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys that the table at ``path`` below ``model`` may have."""
    current: type[BaseModel] = model
    for part in path:
        if isinstance(part, int):
            continue
        field = next((f for f in current.model_fields.values() if f.alias == part), None)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        current = inner
    hidden = {"name"} if current is model else set()
    return [
        field.alias or name for name, field in current.model_fields.items() if name not in hidden
    ]


def _model_in(annotation: Any) -> type[Model] | None:
    """The model inside ``X``, ``X | None``, ``tuple[X, ...]`` or ``Annotated[X, ...]``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, Model) else None
    for argument in typing.get_args(annotation):
        if (found := _model_in(argument)) is not None:
            return found
    return None
